import { codecOf } from '../../../core/kernel/protobuf/codec.ts'
import { encode } from '../../../core/kernel/protobuf/encode.ts'
import { TXN_REQUEST } from '../../../core/delos/wire/protobuf/schemas/kv.ts'
import type { Member } from '../../../core/delos/wire/messages.ts'
import type { EtcdService, RpcError } from '../../../core/delos/wire/service.ts'
import type { Logger } from '../../../platform/logger.ts'
import type { OpenNative } from '../native/connection.ts'
import { nativeService } from '../native/service.ts'
import { answerRoom } from '../store/answer-room.ts'
import { authService } from '../store/auth-service.ts'
import { concurrencyService } from '../store/concurrency-service.ts'
import type { Identify } from '../store/identity.ts'
import { callsOf } from '../store/run-recipe.ts'
import { type HeaderSource, kvService, sealHeader } from '../store/kv-service.ts'
import { leaseService } from '../store/lease-service.ts'
import { LongReads } from '../store/long-reads.ts'
import { maintenanceService, type MemberChanges } from '../store/maintenance-service.ts'
import type { Materialiser } from '../store/materialiser.ts'
import { rangeStreams } from '../store/range-stream.ts'
import type { Replica } from '../store/replica.ts'
import { streamSnapshot } from '../store/snapshot-stream.ts'
import type { TokenKeys, Tokens } from '../store/tokens.ts'
import { watchService } from '../store/watch-service.ts'
import type { Aside } from './aside.ts'
import { autoCompact } from './auto-compact.ts'
import { CONTAINER_EMPTY_MS, sweepContainers } from './containers.ts'
import type { Counters } from './metrics.ts'
import { watchSpace } from './no-space.ts'
import type { ServeOptions } from './options.ts'

export interface Services {
  service: Partial<EtcdService>
  native: OpenNative
  counters: Counters
  members: () => Member[]
  stop: () => void
}

/** The servers that have the store, and what can be asked of them. */
export interface Cluster {
  servers: () => { id: bigint; name: string; peerUrls: readonly string[]; isLearner: boolean }[]
  changes: MemberChanges
  /** false: it is not this server's to do */
  moveLeader: (to: bigint) => boolean
}

export interface ServicesOptions {
  options: Pick<ServeOptions, 'clusterId' | 'self' | 'advertiseClientUrls' | 'quotaBytes' | 'autoCompaction' | 'requestBytesMax'>
  replica: Replica
  materialiser: Materialiser
  cluster: Cluster
  /** `kv.db`, and where copies of it are made */
  kvDb: string
  snapshotDir: string
  /** whose free space is looked at; null: somebody else does */
  diskDir: string | null
  identify: Identify
  aside: Aside
  tokens: Tokens
  tokenKeys: TokenKeys
  logger: Logger
  /** why this server does not serve, though it is there; asked before each frame of the native protocol */
  refusal?: () => RpcError | null
  /** bytes of answers that wait to be read */
  heldBytes?: () => number
  /** a store that may never be used writes nothing before it is */
  isQuietUntilUsed?: boolean
  /** how long a container stays with nothing in it */
  containerEmptyMs?: number
}

const TOKEN_KEY = 'token.key'
const CLIENT_URLS = 'client.urls'

/** All that etcd's port offers, on one store. */
export function servicesOf({
  options,
  replica,
  materialiser,
  cluster,
  kvDb,
  snapshotDir,
  diskDir,
  identify,
  aside,
  tokens,
  tokenKeys,
  logger,
  refusal = () => null,
  heldBytes = () => 0,
  isQuietUntilUsed,
  containerEmptyMs = CONTAINER_EMPTY_MS,
}: ServicesOptions): Services {
  const { store, log } = replica
  const headers: HeaderSource = { clusterId: options.clusterId, memberId: options.self.id, term: () => log.role().term }

  // Where clients find the other servers is theirs to say.
  const clientUrls = new Map<bigint, string[]>()
  aside.announce(CLIENT_URLS, () => ({ id: options.self.id.toString(), urls: options.advertiseClientUrls }))
  aside.onTell(CLIENT_URLS, ({ id, urls }: { id: string; urls: string[] }) => clientUrls.set(BigInt(id), urls))
  aside.announce(TOKEN_KEY, () => Buffer.from(tokenKeys.own).toString('base64'))
  aside.onTell(TOKEN_KEY, (key: string) => tokenKeys.add(Buffer.from(key, 'base64')))

  const others = (): number => cluster.servers().length - 1
  const space = watchSpace({ self: options.self.id, quotaBytes: options.quotaBytes, diskDir, others }, replica, aside, logger)
  const longReads = new LongReads()
  const room = answerRoom(() => heldBytes() + longReads.bytes)
  const kv = kvService(replica, identify, headers, space.onGrowth, room, longReads)
  const streams = rangeStreams(replica, identify, headers, longReads)
  const txn = codecOf(TXN_REQUEST)
  const calls = callsOf(replica, kv, (request) => encode(txn, request))
  const watching = watchService(replica, identify, headers)
  const link = {
    ask: <T>(what: string, body: unknown): Promise<T> => aside.askLeader<T>(what, body),
    answer: (what: string, reply: (body: never) => unknown): void => aside.onAsk(what, reply),
  }
  const leases = leaseService(replica, identify, headers, link, isQuietUntilUsed === true)
  const auth = authService(replica, identify, headers, tokens)
  const compaction = autoCompact(replica, options.autoCompaction)
  const containers = sweepContainers(replica, containerEmptyMs)
  const counters: Counters = {
    watchers: () => watching.hub.watchCount,
    watchersBehind: () => watching.hub.unsyncedCount,
    watchesBehindBy: () => watching.hub.behind,
    watchWaitingBytes: () => watching.hub.waitingBytes,
    watchStreams: watching.streams,
    leases: leases.count,
    rangeStreams: streams.count,
    longReads: () => longReads.waiting,
    longReadBytes: () => longReads.bytes,
  }
  const memberList = (): Member[] =>
    cluster.servers().map(({ id: ID, name, peerUrls, isLearner }) => {
      const clientURLs = ID === options.self.id ? options.advertiseClientUrls : (clientUrls.get(ID) ?? [])
      return { ID, name, peerURLs: [...peerUrls], clientURLs, isLearner }
    })
  return {
    service: {
      ...kv,
      'KV/RangeStream': streams.handle,
      ...watching.service,
      ...leases.service,
      ...auth,
      ...concurrencyService(replica, calls, headers, leases.grant),
      ...maintenanceService({
        replica,
        materialiser,
        identify,
        headers,
        members: memberList,
        changes: cluster.changes,
        longReads,
        snapshot: (sink, isOver) =>
          streamSnapshot(
            {
              materialiser,
              kvDb,
              dir: snapshotDir,
              clusterId: options.clusterId,
              members: memberList,
              seal: (response) => sealHeader(response, headers),
              revision: () => store.revision,
            },
            sink,
            isOver,
          ),
        moveLeader: (to) => {
          if (!cluster.servers().some(({ id }) => id === to)) return { code: 5, text: 'etcdserver: member not found' }
          if (log.role().leader === to) return null
          return cluster.moveLeader(to) ? null : { code: 9, text: 'etcdserver: not leader' }
        },
      }),
    },
    native: nativeService({
      replica,
      identify,
      headers,
      onGrowth: space.onGrowth,
      refusal,
      room,
      longReads,
      authenticate: auth['Auth/Authenticate'],
      requestBytesMax: options.requestBytesMax,
    }),
    counters,
    members: memberList,
    stop: () => {
      space.stop()
      compaction.stop()
      containers.stop()
      watching.stop()
      leases.stop()
    },
  }
}
