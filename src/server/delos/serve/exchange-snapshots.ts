import { join } from 'node:path'
import type { OrderedLog } from '../../../core/contracts/ordered-log.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import type { Logger } from '../../../platform/logger.ts'
import type { Peers } from '../quorum/peers.ts'
import { readRowsFile, type Materialiser } from '../store/materialiser.ts'
import type { Replica } from '../store/replica.ts'
import type { StoreCursor } from '../store/rows-file.ts'
import { checkSnapshotFile, makeSnapshotFile } from '../store/snapshot-file.ts'
import { createSnapshotSink, type SnapshotSink, type SnapshotTarget } from '../store/snapshot-sink.ts'
import { serveSnapshots, type SnapshotSource } from '../store/snapshot-source.ts'

export interface ExchangeOptions {
  dataDir: string
  kvDb: string
  snapshotDir: string
  peers: Peers
  others: () => readonly bigint[]
  log: OrderedLog
  replica: Replica
  /** whether these rows are without what is to be passed over */
  isFit: (rows: Pick<StoreCursor, 'position' | 'skipped'>) => boolean
  materialiser: Materialiser
  logger: Logger
  onFatal: (error: MusterError) => void
}

export interface SnapshotExchange extends Omit<SnapshotSource, 'forget'> {
  waitingBytes: SnapshotSink['waitingBytes']
}

/** Lets a server whose log no longer has what its store needs get the store of another one, and gives its own. */
export async function exchangeSnapshots(options: ExchangeOptions): Promise<SnapshotExchange> {
  const { dataDir, kvDb, snapshotDir, peers, log, replica, logger } = options
  const source = await serveSnapshots({ peers, log, make: (file) => makeSnapshotFile('rows', kvDb, file), dir: snapshotDir, logger })
  const sink = createSnapshotSink({ ...options, file: join(dataDir, 'kv.db.part'), target: storeTarget(options) })
  log.onBehind((from) => sink.want(from))
  replica.onGap(() => sink.want(null))
  return {
    copies: source.copies,
    waitingBytes: sink.waitingBytes,
    stop: async () => {
      await sink.stop()
      await source.stop()
    },
  }
}

/** The store of a replica, whose rows are in `kv.db`. */
export function storeTarget({
  replica,
  materialiser,
  kvDb,
  isFit,
  logger,
}: Pick<ExchangeOptions, 'replica' | 'materialiser' | 'kvDb' | 'isFit' | 'logger'>): SnapshotTarget {
  return {
    get isBehind() {
      return replica.isBehind
    },
    setBehind: () => replica.setBehind(),
    wanted: () => ({ next: replica.log.tail(), isForced: replica.isBehind && replica.applied + 1 < replica.log.head() }),
    check: (file) => checkSnapshotFile('rows', file),
    problem: (found) => (isFit(found) ? null : 'it holds what is to be skipped'),
    install: (file, base) =>
      replica.restore(async () => {
        await materialiser.replace(file)
        const rows = readRowsFile(kvDb, logger)
        if (rows === null) throw new MusterError('DELOS_SNAPSHOT_INVALID', 'the snapshot that was put in place holds no rows')
        return rows
      }, base),
  }
}
