import { gateway, putKey, type DelosServerProcess, type GatewayAnswer } from '../../../support/delos-servers.ts'

/** What was acknowledged, and how long nothing was. */
export interface Acknowledged {
  /** revision of each key, which was put once, by its writer in order */
  keys: Map<string, number>
  /** longest time between two acknowledgements, ms */
  gapMs: number
}

/** Between two puts of one writer, ms: with all of them there is always one on its way, but the servers have time for what is tested. */
const PACE_MS = 10

/** Writers that put one new key after the other at servers in turn, until stopped. A put that was not acknowledged is left alone. */
export function startWriters(servers: readonly DelosServerProcess[], prefix: string, count = 6): { stop: () => Promise<Acknowledged> } {
  const keys = new Map<string, number>()
  let isOver = false
  let lastAt = performance.now()
  let gapMs = 0
  const writers = Array.from({ length: count }, async (_, writer) => {
    for (let i = 0; !isOver; i += 1) {
      const { url } = servers[(writer + i) % servers.length] as DelosServerProcess
      const key = `${prefix}/${writer}/${String(i).padStart(6, '0')}`
      const revision = await putKey(url, key, key, 8000)
      if (revision === null) {
        await new Promise((resolve) => setTimeout(resolve, 20))
        continue
      }
      keys.set(key, revision)
      gapMs = Math.max(gapMs, performance.now() - lastAt)
      lastAt = performance.now()
      await pause(PACE_MS)
    }
  })
  return {
    stop: async () => {
      isOver = true
      await Promise.all(writers)
      return { keys, gapMs }
    },
  }
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** What is wrong with the keys of a prefix at a server, against what was acknowledged: lost, put twice, or out of a writer's order. */
export async function faultsAt(url: string, prefix: string, { keys }: Acknowledged): Promise<string[]> {
  const end = `${prefix}0`
  const { body } = await gateway(url, 'kv/range', { key: base64(`${prefix}/`), range_end: base64(end) })
  const found = new Map<string, { version: number; revision: number }>()
  for (const { key, version, mod_revision } of body.kvs ?? [])
    found.set(Buffer.from(key, 'base64').toString(), { version: Number(version), revision: Number(mod_revision) })
  const faults: string[] = []
  for (const [key, revision] of keys) {
    const kept = found.get(key)
    if (kept === undefined) faults.push(`${key} is lost`)
    else if (kept.revision !== revision) faults.push(`${key} is at ${kept.revision}, was acknowledged at ${revision}`)
  }
  let before = { writer: '', revision: 0 }
  for (const [key, { version, revision }] of [...found].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (version !== 1) faults.push(`${key} was put ${version} times`)
    const writer = key.slice(0, key.lastIndexOf('/'))
    if (writer === before.writer && revision <= before.revision) faults.push(`${key} stands before what its writer put earlier`)
    before = { writer, revision }
  }
  return faults
}

/** An operator's call. */
export async function ask(url: string, path: string, body: object = {}): Promise<GatewayAnswer> {
  const answer = await fetch(`${url}/muster/v1/delos/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(45_000),
  })
  return { status: answer.status, body: await answer.json() }
}

export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}
