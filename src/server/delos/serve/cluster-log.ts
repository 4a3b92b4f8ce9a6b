import { join } from 'node:path'
import { genesis } from '../../../core/delos/virtual-log/genesis.ts'
import { encodeValue, presentServers, type RegisterValue } from '../../../core/delos/virtual-log/value.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import type { Logger } from '../../../platform/logger.ts'
import { CHANNEL, createPeers, type Peers, type PeerTls } from '../quorum/peers.ts'
import { openVirtualLog } from '../virtual-log/open.ts'
import { keepReach, peerAddresses, type Reach } from '../virtual-log/reach.ts'
import type { VirtualLog } from '../virtual-log/virtual-log.ts'
import { readFirstPosition } from './first-position.ts'
import { openIncarnation } from './incarnation.ts'
import type { ServeOptions } from './options.ts'

export interface ClusterLogOptions {
  options: ServeOptions
  tls: PeerTls | null
  /** what the cluster is, as another server told it; null: it begins, or the directory says it */
  value: RegisterValue | null
  /** position from which on batches are wanted */
  from: number
  segmentBytes: number
  onSync: (ms: number) => void
  logger: Logger
  onFatal: (error: MusterError) => void
}

/** The store's log, and the connections to the servers that have it too. */
export interface ClusterLog {
  log: VirtualLog
  /** position after the last batch on this server's disk, which nobody else has; null: others have the log, too */
  localTail: number | null
  peers: Peers
  /** ids of the other servers */
  others: () => bigint[]
  close: () => Promise<void>
}

const LEAVE_MS = 1000

/** Opens the log and keeps the connections up with who is a member. */
export async function openClusterLog(given: ClusterLogOptions): Promise<ClusterLog> {
  const { options, from, segmentBytes, onSync, logger, onFatal } = given
  const self = options.self.id
  let known: RegisterValue | null = null
  let reach: Reach | null = null
  const [listen] = options.listenPeerUrls
  const incarnation = openIncarnation({
    ...{ dataDir: options.dataDir, name: options.name, logger, onFatal },
    onNumber: () => {
      for (const id of others()) peers.send(id, CHANNEL.introduction, incarnation.introduce(id))
    },
  })
  const others = (): bigint[] => (known === null ? [] : peerAddresses(known).flatMap(({ id }) => (id === self ? [] : [id])))
  const peers = createPeers({
    self,
    clusterId: options.clusterId,
    listen: { host: (listen as URL).hostname, port: Number((listen as URL).port) },
    peers: [],
    tls: given.tls,
    log: logger,
    introduction: incarnation,
    isRemoved: (id) => reach?.isGone(id) === true,
    welcome: (id) => (known !== null && isMember(known, id) ? encodeValue(known) : null),
  })
  try {
    const dir = join(options.dataDir, 'log', 'kv')
    const log = await openVirtualLog({
      ...{ dir, clusterId: options.clusterId, self, from, peers, profile: options.profile, segmentBytes, onSync, log: logger, onFatal },
      initial: given.value ?? firstValue(options, readFirstPosition(dir)),
      mayBeNew: options.mayBeNew,
      isWhole: false,
      features: options.features,
    })
    const reached = keepReach(self, peers, [log])
    reach = reached
    const connect = async (): Promise<void> => {
      known = log.value()
      reached.update()
      if (!reached.isAlone()) await peers.listen()
    }
    // A moment later: whoever asked for it is answered.
    void log.released.then(() =>
      setTimeout(() => onFatal(new MusterError('DELOS_MEMBER_REMOVED', `server ${options.name} was removed from its cluster`)), LEAVE_MS),
    )
    await connect()
    log.onValue(
      () => void connect().catch((error: MusterError) => logger.error('other servers cannot reach this one', { reason: error.message })),
    )
    return {
      ...{ log, localTail: log.localTail(), peers },
      others,
      close: async () => {
        incarnation.stop()
        reached.stop()
        await log.close()
        await peers.close()
      },
    }
  } catch (error) {
    incarnation.stop()
    await peers.close()
    throw error
  }
}

/** What the register of a new cluster begins with: the same at each of its servers. */
function firstValue({ clusterId, members }: ServeOptions, firstPosition: number): RegisterValue {
  const servers = members.map(({ id, name, peerUrls }) => ({ id: hex64(id), name, addresses: peerUrls }))
  return genesis(hex64(clusterId), servers, firstPosition)
}

function isMember(value: RegisterValue, id: bigint): boolean {
  return presentServers(value).some((server) => server.id === hex64(id))
}

const hex64 = (id: bigint): string => id.toString(16).padStart(16, '0')
