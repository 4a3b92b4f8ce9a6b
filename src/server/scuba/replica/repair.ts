import { join } from 'node:path'
import { placeOf } from '../../../core/scuba/clickhouse/place.ts'
import { isReplicated } from '../../../core/scuba/registry.ts'
import type { Segment } from '../../../core/scuba/wal/manifest.ts'
import { writeDurably } from '../../../platform/files.ts'
import type { Store } from '../leaf/store.ts'

/** Puts a lost segment's file back from a copy, once it is seen to be what was written. Gives whether it could. */
export async function repair(store: Store, segment: Segment, signal: AbortSignal): Promise<boolean> {
  const { table, file, rows } = segment
  if (store.copies === null || placeOf(file) !== null || !isReplicated(store.registry.current.tables[table])) return false
  const bytes = await store.copies.fetch(segment, signal)
  if (bytes === null) return false
  await writeDurably(store.segmentPath(file), bytes, join(store.dir, 'tmp', file))
  await store.manifest.append({ kind: 'found', table, file })
  store.log.info('a segment was put back from a copy', { table, file, rows })
  return true
}
