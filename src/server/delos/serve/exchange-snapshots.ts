import { join } from 'node:path'
import type { OrderedLog } from '../../../core/contracts/ordered-log.ts'
import type { MusterError } from '../../../core/kernel/errors.ts'
import type { Logger } from '../../../platform/logger.ts'
import type { Peers } from '../quorum/peers.ts'
import { readRowsFile, type Materialiser } from '../store/materialiser.ts'
import type { Replica } from '../store/replica.ts'
import { createSnapshotSink, type SnapshotSink, type SnapshotSinkOptions } from '../store/snapshot-sink.ts'
import { serveSnapshots, type SnapshotSource } from '../store/snapshot-source.ts'

export interface ExchangeOptions {
  dataDir: string
  kvDb: string
  snapshotDir: string
  peers: Peers
  others: () => readonly bigint[]
  log: OrderedLog
  replica: Replica
  isFit: SnapshotSinkOptions['isFit']
  materialiser: Materialiser
  logger: Logger
  onFatal: (error: MusterError) => void
}

export interface SnapshotExchange extends SnapshotSource {
  waitingBytes: SnapshotSink['waitingBytes']
}

/** Lets a server whose log no longer has what its store needs get the store of another one, and gives its own. */
export async function exchangeSnapshots(options: ExchangeOptions): Promise<SnapshotExchange> {
  const { dataDir, kvDb, snapshotDir, peers, log, replica, logger } = options
  const source = await serveSnapshots({ peers, log, kvDb, dir: snapshotDir, logger })
  const sink = createSnapshotSink({ ...options, file: join(dataDir, 'kv.db.part'), readRows: () => readRowsFile(kvDb, logger) })
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
