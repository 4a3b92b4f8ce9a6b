import { join } from 'node:path'
import { genesis } from '../../core/delos/virtual-log/genesis.ts'
import type { RegisterValue } from '../../core/delos/virtual-log/value.ts'
import type { MusterError } from '../../core/kernel/errors.ts'
import type { Logger } from '../../platform/logger.ts'
import type { StatePaths } from '../../platform/paths.ts'
import type { Identity } from '../state/identity.ts'
import { createPeers, scopedPeers, type Peers } from './quorum/peers.ts'
import { readFirstPosition } from './serve/first-position.ts'
import { openVirtualLog } from './virtual-log/open.ts'
import type { VirtualLog } from './virtual-log/virtual-log.ts'

/** The two logs of a fleet: muster's own state, and the key-value store. */
export const FLEET_LOGS = ['control', 'kv'] as const
export type FleetLog = (typeof FLEET_LOGS)[number]

export interface FleetLogOptions {
  paths: StatePaths
  identity: Identity
  /** the process's connections; each log has channels of its own on them */
  peers: Peers
  /** position from which on batches are wanted */
  from: number
  /** of a server that joined: what the register was then; without it the log begins with this server alone */
  initial?: RegisterValue
  /** how soon silence of the leader is believed to be its end; default `wan`: to take the lead of a fleet costs more than to wait half a second */
  profile?: 'lan' | 'wan'
  /** default 16 MiB; a file is made at the first write */
  segmentBytes?: number
  /** told the time of each durable write */
  onSync?: (ms: number) => void
  logger: Logger
  onFatal: (error: MusterError) => void
}

/** Of a fleet's logs: most of them stay small. */
export const SEGMENT_BYTES = 16 * 1024 * 1024

/** Opens a log of the state directory; a new one is that of this server alone, in a file. Rejects as `openVirtualLog` does. */
export function openFleetLog(name: FleetLog, options: FleetLogOptions): Promise<VirtualLog> {
  const { paths, identity, peers, from, initial, segmentBytes = SEGMENT_BYTES, onSync = () => undefined, logger, onFatal } = options
  const dir = join(paths.log, name)
  const { cluster, server } = identity
  return openVirtualLog({
    ...{ dir, from, segmentBytes, onSync, log: logger, onFatal },
    clusterId: BigInt(`0x${cluster}`),
    self: BigInt(`0x${server}`),
    initial: initial ?? genesis(cluster, [{ id: server, name: identity.name, addresses: [] }], readFirstPosition(dir)),
    peers: scopedPeers(peers, name),
    profile: options.profile ?? 'wan',
    mayBeNew: initial === undefined,
    isWhole: true,
  })
}

/** Connections of a server that has none: it opens no port. */
export function noPeers({ cluster, server }: Identity, log: Logger): Peers {
  return createPeers({
    self: BigInt(`0x${server}`),
    clusterId: BigInt(`0x${cluster}`),
    listen: { host: '127.0.0.1', port: 0 },
    peers: [],
    tls: null,
    log,
  })
}
