import type { OrderedLog } from '../../../core/contracts/ordered-log.ts'
import type { KvRows } from '../../../core/delos/kv/rows.ts'
import { createStore } from '../../../core/delos/kv/store.ts'
import type { KvOptions } from '../../../core/delos/kv/store-contract.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import type { Logger } from '../../../platform/logger.ts'
import { keepFreedMemory } from '../../../platform/memory.ts'
import { startMaterialiser, type Materialiser } from './materialiser.ts'
import { openPoisonNote } from './poison-note.ts'
import { openReplica, type Replica, type ReplicaOptions } from './replica.ts'
import { EMPTY_CURSOR, type StoreCursor } from './rows-file.ts'

export interface OpenStoreOptions extends Pick<ReplicaOptions, 'server' | 'skips' | 'onAnew'> {
  log: OrderedLog
  /** `kv.db`, and what was found in it */
  file: string
  kept: { rows: KvRows; cursor: StoreCursor } | null
  /** where it is noted which entry ended the process; null: nowhere, for a store that may never be used writes nothing before it is */
  dir: string | null
  /** those left out are etcd's */
  limits: Partial<KvOptions>
  /** position after the last batch on this server's disk, which nobody else has; null: others have the log, too */
  localTail: number | null
  syncEveryMs?: number
  logger: Logger
  onFatal: (error: MusterError) => void
  onAppended?: (ms: number | null) => void
}

/** Brings the store up to its log, from the rows of `kv.db`. Rejects when the log lacks what the rows hold, or the rows what the log gave up. */
export function openStore(options: OpenStoreOptions): { replica: Replica; materialiser: Materialiser } {
  const { log, file, kept, dir, limits, localTail, syncEveryMs, logger, onFatal, onAppended, ...ofReplica } = options
  const position = kept?.cursor.position ?? 0
  // In a quorum a server may have applied what it does not know yet to be committed; alone, it never has more than its log.
  if (localTail !== null && kept !== null && position >= localTail)
    throw new MusterError(
      'DELOS_LOG_CORRUPT',
      `${file} goes to position ${position}, its log only to ${localTail - 1}: part of the log is gone`,
      {
        hint: 'Restore the log from a backup. If it is lost for good, remove kv.db, and with it what only it holds.',
      },
    )
  if (localTail !== null && position + 1 < log.head())
    throw new MusterError('DELOS_LOG_CORRUPT', `${file} is gone or damaged, and the log begins after it, at position ${log.head()}`, {
      hint: 'Restore a snapshot: `muster delos snapshot restore FILE --data-dir DIR`.',
    })
  // Batches come and go as blocks of a hundred kilobytes and more.
  keepFreedMemory()
  const store = createStore(limits, kept?.rows)
  const materialiser = startMaterialiser(file, logger, syncEveryMs === undefined ? {} : { syncEveryMs })
  const replica = openReplica({
    ...{ log, store, cursor: kept?.cursor ?? EMPTY_CURSOR, materialiser, logger, now: Date.now, onFatal, ...ofReplica },
    ...(dir === null ? {} : { poison: openPoisonNote(dir) }),
    ...(onAppended === undefined ? {} : { onAppended }),
  })
  return { replica, materialiser }
}
