import { errorFromBody, isRefusal, type ErrorBody } from '../core/kernel/errors.ts'
import type { Client } from './client.ts'
import type { KvRow } from './render/delos.ts'

export interface KvEvent {
  revision: number
  type: 'put' | 'delete'
  kv: KvRow
}

type Line = { kind: 'created' | 'progress'; revision: number } | ({ kind: 'event' } & KvEvent) | { kind: 'error'; error: ErrorBody }

const RETRY_MS = 500

/**
 * Changes of a key or prefix from a revision on (absent: from now), over lost connections and restarts of the server:
 * each change once, in order, until the signal is aborted. Rejects when the revision was compacted meanwhile, and when
 * there was no server at the start.
 */
export async function* watchKv(client: Client, watch: { key: string; isPrefix: boolean; from?: number }, signal: AbortSignal): AsyncGenerator<KvEvent> {
  let next = watch.from
  for (;;) {
    try {
      const body = { key: watch.key, isPrefix: watch.isPrefix, ...(next === undefined ? {} : { from: next }) }
      for await (const line of client.stream<Line>('/v1/delos/kv/watch', body, signal)) {
        if (line.kind === 'error') throw errorFromBody(line.error)
        if (line.kind === 'created') next ??= line.revision + 1
        // Progress says that all up to its revision was sent; a revision with several changes is whole only then, or when the next one comes.
        else if (line.kind === 'progress') next = Math.max(next ?? 1, line.revision + 1)
        else {
          next = line.revision + 1
          yield { revision: line.revision, type: line.type, kv: line.kv }
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
