import { ApiError, linesOf } from './api.ts'
import type { LogEntry } from './entry.ts'
import { sseReader } from './sse.ts'

/** `live`: what is seen is what is; `lost`: tried again; `over`: this browser is not let in any more. */
export type LinkState = 'live' | 'lost' | 'over'

interface FollowOptions {
  /** where to go on: asked at each connection, so that nothing is missed or doubled */
  path: () => string
  onLine: (line: string) => void
  /** a connection begins: what was begun of the last one is void */
  onBegin?: () => void
  onState: (state: LinkState) => void
}

const RETRY_MIN_MS = 500
const RETRY_MAX_MS = 8000

/**
 * Follows a stream of lines over lost connections, until what it gives is called. Nobody looks at a hidden page: it lets its connection go, of which a
 * browser has six for all tabs together, and catches up when it is seen again.
 */
export function follow({ path, onLine, onBegin, onState }: FollowOptions): () => void {
  const stop = new AbortController()
  const run = async (): Promise<void> => {
    for (let waitMs = RETRY_MIN_MS; !stop.signal.aborted; waitMs = Math.min(2 * waitMs, RETRY_MAX_MS)) {
      await whenSeen(stop.signal)
      const hidden = new AbortController()
      const leave = (): void => {
        if (document.hidden) hidden.abort()
      }
      document.addEventListener('visibilitychange', leave)
      try {
        onBegin?.()
        for await (const line of linesOf(path(), AbortSignal.any([stop.signal, hidden.signal]))) {
          waitMs = RETRY_MIN_MS / 2
          onState('live')
          onLine(line)
        }
      } catch (error) {
        if (error instanceof ApiError && error.code === 'SESSION_OVER') return onState('over')
      } finally {
        document.removeEventListener('visibilitychange', leave)
      }
      if (stop.signal.aborted) return
      if (hidden.signal.aborted) continue
      onState('lost')
      await new Promise((resolve) => setTimeout(resolve, waitMs))
    }
  }
  void run()
  return () => stop.abort()
}

/** Resolves once the page is seen, or nothing is to be followed any more. */
function whenSeen(stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (document.hidden && !stopped.aborted) return
      document.removeEventListener('visibilitychange', look)
      resolve()
    }
    document.addEventListener('visibilitychange', look)
    stopped.addEventListener('abort', look, { once: true })
    look()
  })
}

/** Entries of the control log from a position on. */
export function followEntries(from: number, onEntry: (entry: LogEntry) => void, onState: (state: LinkState) => void): () => void {
  let next = from
  let read = sseReader()
  return follow({
    path: () => `/v1/events?from=${next}`,
    onBegin: () => {
      read = sseReader()
    },
    onLine: (line) => {
      const event = read(line)
      if (event === null) return
      const entry = JSON.parse(event.data) as LogEntry
      next = entry.position + 1
      onEntry(entry)
    },
    onState,
  })
}
