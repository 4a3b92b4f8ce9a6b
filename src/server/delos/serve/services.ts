import { codecOf } from '../../../core/delos/wire/protobuf/codec.ts'
import { encode } from '../../../core/delos/wire/protobuf/encode.ts'
import { TXN_REQUEST } from '../../../core/delos/wire/protobuf/schemas/kv.ts'
import { ALARM_TYPE } from '../../../core/delos/wire/messages.ts'
import type { EtcdService, RpcError } from '../../../core/delos/wire/service.ts'
import { KV_ERRORS } from '../../../core/delos/kv/errors.ts'
import type { QuorumLog } from '../quorum/quorum-log.ts'
import { authService } from '../store/auth-service.ts'
import { concurrencyService } from '../store/concurrency-service.ts'
import { identifyBy } from '../store/identity.ts'
import { callsOf } from '../store/run-recipe.ts'
import { type HeaderSource, kvService } from '../store/kv-service.ts'
import { leaseService } from '../store/lease-service.ts'
import { maintenanceService } from '../store/maintenance-service.ts'
import type { Materialiser } from '../store/materialiser.ts'
import type { Replica } from '../store/replica.ts'
import type { TokenKeys, Tokens } from '../store/tokens.ts'
import { watchService } from '../store/watch-service.ts'
import type { Aside } from './aside.ts'
import { autoCompact } from './auto-compact.ts'
import type { Counters } from './metrics.ts'
import type { ServeOptions } from './options.ts'

export interface Services {
  service: Partial<EtcdService>
  counters: Counters
  stop: () => void
}

export interface ServicesOptions {
  options: ServeOptions
  replica: Replica
  materialiser: Materialiser
  quorum: QuorumLog | null
  aside: Aside
  tokens: Tokens
  tokenKeys: TokenKeys
}

const TOKEN_KEY = 'token.key'
const CLIENT_URLS = 'client.urls'

/** All that etcd's port offers, on one store. */
export function servicesOf({ options, replica, materialiser, quorum, aside, tokens, tokenKeys }: ServicesOptions): Services {
  const { store, log } = replica
  const headers: HeaderSource = { clusterId: options.clusterId, memberId: options.self.id, term: () => log.role().term }
  const identify = identifyBy(store, tokens)

  // Where clients find the other servers is theirs to say.
  const clientUrls = new Map<bigint, string[]>()
  aside.announce(CLIENT_URLS, () => ({ id: options.self.id.toString(), urls: options.advertiseClientUrls }))
  aside.onTell(CLIENT_URLS, ({ id, urls }: { id: string; urls: string[] }) => clientUrls.set(BigInt(id), urls))
  aside.announce(TOKEN_KEY, () => Buffer.from(tokenKeys.own).toString('base64'))
  aside.onTell(TOKEN_KEY, (key: string) => tokenKeys.add(Buffer.from(key, 'base64')))

  /** Growing is over when the quota is reached: all servers are told by an alarm, which stays until it is taken back. */
  const onGrowth = (): RpcError | null => {
    if (store.sizeBytes <= options.quotaBytes) return null
    const memberId = options.self.id
    replica.submit({ kind: 'alarm', action: 'raise', memberId, type: ALARM_TYPE.nospace, who: null }, null, () => undefined)
    return KV_ERRORS.noSpace
  }

  const kv = kvService(replica, identify, headers, onGrowth)
  const txn = codecOf(TXN_REQUEST)
  const calls = callsOf(replica, kv, (request) => encode(txn, request))
  const watching = watchService(replica, identify, headers)
  const leases = leaseService(replica, identify, headers, {
    ask: (what, body) => aside.askLeader(what, body),
    answer: (what, reply) => aside.onAsk(what, reply),
  })
  const compaction = autoCompact(replica, options.autoCompaction)
  const counters: Counters = {
    leaderChanges: 0,
    watchers: () => watching.hub.watchCount,
    watchStreams: watching.streams,
    leases: leases.count,
  }
  const stopRole = replica.onRole(({ leader }) => {
    if (leader !== null) counters.leaderChanges += 1
  })
  return {
    service: {
      ...kv,
      ...watching.service,
      ...leases.service,
      ...authService(replica, identify, headers, tokens),
      ...concurrencyService(replica, calls, headers, leases.grant),
      ...maintenanceService({
        replica,
        materialiser,
        identify,
        headers,
        members: () =>
          options.members.map(({ id, name, peerUrls }) => ({
            ID: id,
            name,
            peerURLs: peerUrls,
            clientURLs: id === options.self.id ? options.advertiseClientUrls : (clientUrls.get(id) ?? []),
            isLearner: false,
          })),
        moveLeader: (to) => {
          if (!options.members.some(({ id }) => id === to)) return { code: 5, text: 'etcdserver: member not found' }
          if (quorum === null || log.role().leader === to) return null
          return quorum.moveLeader(to) ? null : { code: 9, text: 'etcdserver: not leader' }
        },
      }),
    },
    counters,
    stop: () => {
      compaction.stop()
      watching.stop()
      leases.stop()
      stopRole()
    },
  }
}
