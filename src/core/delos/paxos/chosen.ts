import { assert, must } from '../../kernel/assert.ts'
import { CACHE_BATCHES_MAX, CACHE_BYTES_MAX } from './config.ts'
import type { Accepted, Batch } from './messages.ts'
import type { Replica } from './state.ts'

/** Position of the first entry after `slot`, which is at or above `committed`. */
export function positionAfter(r: Replica, slot: number): number {
  if (slot === r.committed) return r.nextPosition
  const { batch } = must(r.log.get(slot), `slot ${slot}`)
  return batch.position + batch.count
}

export function sizeOf(batch: Batch): number {
  return batch.payload.length + 64
}

/** Everything up to `upTo` is chosen, as it stands in `log`: tells it on, once, in order. */
export function advanceCommitted(r: Replica, upTo: number): void {
  while (r.committed < upTo && r.end === null) {
    const slot = r.committed + 1
    const accepted = must(r.log.get(slot), `slot ${slot}`)
    assert(accepted.batch.position === r.nextPosition, `slot ${slot} begins at ${accepted.batch.position}, not ${r.nextPosition}`)
    r.committed = slot
    r.nextPosition += accepted.batch.count
    r.cacheBytes += sizeOf(accepted.batch)
    r.out.committed.push(accepted)
    if (accepted.batch.kind === 'end') r.end = slot
  }
  if (r.stream.tail < r.committed) r.stream.tail = r.committed
  const batchesMax = r.config.cacheBatchesMax ?? CACHE_BATCHES_MAX
  while (r.logFrom < r.committed && (r.cacheBytes > CACHE_BYTES_MAX || r.committed - r.logFrom >= batchesMax)) {
    r.cacheBytes -= sizeOf(must(r.log.get(r.logFrom), `slot ${r.logFrom}`).batch)
    r.log.delete(r.logFrom)
    r.logFrom += 1
  }
}

/** Chosen or accepted batches from `from` to `to` that are in memory, up to a size, at least one; empty if `from` is not there. */
export function sliceOf(r: Replica, from: number, to: number, batchesMax: number, bytesMax: number): Accepted[] {
  const slice: Accepted[] = []
  let bytes = 0
  for (let slot = from; slot <= to && slice.length < batchesMax; slot += 1) {
    const accepted = r.log.get(slot)
    if (accepted === undefined) break
    bytes += sizeOf(accepted.batch)
    if (slice.length > 0 && bytes > bytesMax) break
    slice.push(accepted)
  }
  return slice
}
