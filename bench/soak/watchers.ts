import { setTimeout as sleep } from 'node:timers/promises'
import { follow, type WatchedEvent } from './gateway.ts'

export interface Watcher {
  readonly events: readonly WatchedEvent[]
  readonly resumes: number
  /** Ends it once it has seen `revision`, or after `timeoutMs`. */
  stopAt: (revision: number, timeoutMs: number) => Promise<void>
}

/**
 * Watches everything from a revision on, and resumes after the last one it saw whenever the stream ends or is silent.
 * @param hangUpAfterMs it hangs up by itself so often, without a reason
 */
export function startWatcher(urls: readonly string[], first: number, fromRevision: number, hangUpAfterMs: number | null): Watcher {
  const events: WatchedEvent[] = []
  const end = new AbortController()
  let resumes = -1
  const run = async (): Promise<void> => {
    for (let server = first; !end.signal.aborted; server += 1) {
      resumes += 1
      const signal = hangUpAfterMs === null ? end.signal : AbortSignal.any([end.signal, AbortSignal.timeout(hangUpAfterMs)])
      const from = (events.at(-1)?.revision ?? fromRevision - 1) + 1
      await follow(urls[server % urls.length] as string, from, 2000, signal, (more) => void events.push(...more))
      await sleep(50)
    }
  }
  const running = run()
  return {
    events,
    get resumes() {
      return resumes
    },
    stopAt: async (revision, timeoutMs) => {
      const until = performance.now() + timeoutMs
      while ((events.at(-1)?.revision ?? 0) < revision && performance.now() < until) await sleep(50)
      end.abort()
      await running
    },
  }
}
