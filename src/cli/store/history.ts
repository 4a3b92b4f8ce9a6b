import type { z } from 'zod'
import type { StoreClient } from '../../client/connect.ts'
import type { kvHistory } from '../../core/delos/operations.ts'
import { keyIn, kvView } from '../../core/delos/programs/text.ts'
import { only, rangeRequest, type KeyRange } from '../../core/delos/recipes/etcd/request.ts'
import { EVENT_TYPE } from '../../core/delos/wire/messages.ts'
import { isRefusal } from '../../core/kernel/errors.ts'

type Input = z.output<typeof kvHistory.input>
type History = z.output<typeof kvHistory.output>

/**
 * The versions of a key that a store keeps, from a watch of its past. The watch of a key that is there ends with the version it has;
 * of one that is gone nobody says when it went, so all keys are watched up to the revision of now.
 */
export async function historyAt(client: StoreClient, { key: text, isKeyBase64, limit }: Input): Promise<History> {
  const key = keyIn(text, isKeyBase64)
  if (isRefusal(key)) throw key
  const { header, kvs } = await client.range(rangeRequest(only(key)))
  const [now] = kvs
  const range: KeyRange = now === undefined ? { key: '\0', range_end: '\0' } : only(key)
  const until = now?.mod_revision ?? header.revision
  const kept: History['versions'] = []
  let oldest = 1
  for (let isDone = until <= 1; !isDone;) {
    const end = new AbortController()
    try {
      for await (const { revision, events } of client.watch(range, { from: oldest }, end.signal)) {
        for (const { type, kv } of events) {
          if (kv.key === key && kv.mod_revision <= until)
            kept.push({ type: type === EVENT_TYPE.delete ? 'delete' : 'put', revision: kv.mod_revision, kv: kvView(kv) })
        }
        if (revision >= until) break
      }
      isDone = true
    } catch (error) {
      // The store says from where on it still has them.
      const compacted = isRefusal(error) && error.code === 'DELOS_REVISION' ? compactedIn(error.details) : null
      if (compacted === null || compacted <= oldest) throw error
      oldest = compacted
      kept.length = 0
    } finally {
      end.abort()
    }
  }
  return { revision: header.revision, oldest, versions: kept.slice(-limit), more: kept.length > limit }
}

function compactedIn(details: unknown): number | null {
  const { compacted } = (details ?? {}) as { compacted?: number }
  return compacted ?? null
}
