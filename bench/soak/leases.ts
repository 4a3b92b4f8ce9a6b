import { setTimeout as sleep } from 'node:timers/promises'
import { ask, base64, type JsonAnswer } from './gateway.ts'

const KEPT_TTL_S = 15
const KEEP_EVERY_MS = 700
export const KEPT_KEY = 'lease/kept'

export interface KeptLease {
  readonly renewals: number
  /** longest time between two renewals that were answered; past the TTL the lease was free to end */
  readonly gapMaxMs: number
  readonly ttlMs: number
  stop: () => Promise<void>
}

/** Asks one server after the other until one answers. */
export async function askAny(urls: readonly string[], path: string, body: object, tries = 40): Promise<JsonAnswer> {
  for (let i = 0; i < tries; i += 1) {
    const answer = await ask(urls[i % urls.length] as string, path, body, 2000)
    if (answer !== null) return answer
    await sleep(100)
  }
  throw new Error(`no server answered ${path}`)
}

/** A key with a lease that is renewed at whichever server answers. */
export async function keepLease(urls: readonly string[]): Promise<KeptLease> {
  const id = (await askAny(urls, 'lease/grant', { TTL: String(KEPT_TTL_S) })).ID as string
  await askAny(urls, 'kv/put', { key: base64(KEPT_KEY), value: base64('kept'), lease: id })
  let isOver = false
  let renewals = 0
  let renewedAt = performance.now()
  let gapMaxMs = 0
  const run = async (): Promise<void> => {
    for (let server = 0; !isOver;) {
      const askedAt = performance.now()
      const answer = await ask(urls[server % urls.length] as string, 'lease/keepalive', { ID: id }, 1500)
      if (Number(answer?.result?.TTL ?? 0) > 0) {
        renewals += 1
        gapMaxMs = Math.max(gapMaxMs, performance.now() - renewedAt)
        // The server counted from some time after it was asked.
        renewedAt = askedAt
        await sleep(KEEP_EVERY_MS)
      } else {
        server += 1
        await sleep(100)
      }
    }
  }
  const running = run()
  return {
    get renewals() {
      return renewals
    },
    get gapMaxMs() {
      return gapMaxMs
    },
    ttlMs: KEPT_TTL_S * 1000,
    stop: async () => {
      isOver = true
      await running
    },
  }
}
