import { errorFromBody, isRefusal, type ErrorBody } from '../../core/kernel/errors.ts'
import type { Client } from '../client.ts'
import type { Kv } from '../../core/delos/schema.ts'

export interface KvEvent {
  revision: number
  type: 'put' | 'delete'
  kv: Kv
  /** what was there before, if it was asked for */
  prev?: Kv | null
}

type Line =
  | { kind: 'created'; revision: number }
  | { kind: 'progress'; revision: number }
  | ({ kind: 'event'; isLast: boolean } & KvEvent)
  | { kind: 'error'; error: ErrorBody }

const RETRY_MS = 500

/**
 * Changes of a key or prefix from a revision on (absent: from now), over lost connections and restarts of the server:
 * each change once, in order, until the signal is aborted. Rejects when the revision was compacted meanwhile, and when
 * there was no server at the start.
 */
export async function* watchKv(
  client: Client,
  watch: { key: string; isPrefix: boolean; from?: number; wantsPrev?: boolean },
  signal: AbortSignal,
): AsyncGenerator<KvEvent> {
  let next = watch.from
  /** events of revision `next` that were told already, when the connection was lost in the middle of it */
  let told = 0
  for (;;) {
    try {
      const body = { ...watch, ...(next === undefined ? {} : { from: next }) }
      let skip = told
      for await (const line of client.stream<Line>('/v1/delos/kv/watch', body, signal)) {
        if (line.kind === 'error') throw errorFromBody(line.error)
        if (line.kind === 'created') next ??= line.revision + 1
        else if (line.kind === 'progress') [next, told] = [Math.max(next ?? 1, line.revision + 1), 0]
        else if (skip > 0) skip -= 1
        else {
          ;[next, told] = line.isLast ? [line.revision + 1, 0] : [line.revision, line.revision === next ? told + 1 : 1]
          yield { revision: line.revision, type: line.type, kv: line.kv, ...(line.prev === undefined ? {} : { prev: line.prev }) }
        }
      }
    } catch (error) {
      if (signal.aborted) return
      const isLost = !isRefusal(error) || error.code === 'SERVER_DOWN'
      if (!isLost || next === undefined) throw error
    }
    if (signal.aborted) return
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
}
