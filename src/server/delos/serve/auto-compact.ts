import { NOBODY } from '../../../core/delos/kv/command.ts'
import type { Replica } from '../store/replica.ts'
import type { ServeOptions } from './options.ts'

const REVISION_LOOK_MS = 300_000
/** Of the period, so that no more than a tenth over it is ever kept. */
const SAMPLES = 10

/** Compacts by itself, as etcd's `--auto-compaction-*` say; the leader does it, for all. */
export function autoCompact(replica: Replica, mode: ServeOptions['autoCompaction']): { stop: () => void } {
  if (mode === null) return { stop: () => undefined }
  const { store, log } = replica
  const compact = (revision: number): void => {
    if (!log.role().isLeader || revision <= Math.max(store.compactRevision, 1)) return
    const request = { revision, physical: false }
    replica.submit({ kind: 'compact', request, who: NOBODY }, null, () => undefined)
  }
  if (mode.mode === 'revision') {
    const timer = setInterval(() => compact(store.revision - mode.keep), REVISION_LOOK_MS)
    timer.unref()
    return { stop: () => clearInterval(timer) }
  }
  /** revisions as they were, the oldest first */
  const seen: number[] = []
  const timer = setInterval(() => {
    seen.push(store.revision)
    if (seen.length > SAMPLES) compact(seen.shift() as number)
  }, mode.everyMs / SAMPLES)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}
