import { ApiError, linesOf } from './api.ts'
import { sseReader } from './sse.ts'

/** `live`: what is seen is what is; `lost`: tried again; `over`: this browser is not let in any more. */
export type LinkState = 'live' | 'lost' | 'over'

export interface LogEntry {
  position: number
  type: string
  v: number
  at: number
  actor: string
  body: unknown
  notable?: { system: string; kind: string; target: string; service: string | null; text: string }
}

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

/** Follows a stream of lines over lost connections, until what it gives is called. */
export function follow({ path, onLine, onBegin, onState }: FollowOptions): () => void {
  const stop = new AbortController()
  const run = async (): Promise<void> => {
    for (let waitMs = RETRY_MIN_MS; !stop.signal.aborted; waitMs = Math.min(2 * waitMs, RETRY_MAX_MS)) {
      try {
        onBegin?.()
        for await (const line of linesOf(path(), stop.signal)) {
          waitMs = RETRY_MIN_MS / 2
          onState('live')
          onLine(line)
        }
      } catch (error) {
        if (stop.signal.aborted) return
        if (error instanceof ApiError && error.code === 'SESSION_OVER') return onState('over')
      }
      if (stop.signal.aborted) return
      onState('lost')
      await new Promise((resolve) => setTimeout(resolve, waitMs))
    }
  }
  void run()
  return () => stop.abort()
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
