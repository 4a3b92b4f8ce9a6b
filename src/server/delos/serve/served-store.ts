import type { OrderedLog } from '../../../core/contracts/ordered-log.ts'
import { isFit, skipsOf } from '../../../core/delos/virtual-log/chain.ts'
import { presentServers } from '../../../core/delos/virtual-log/value.ts'
import { KV_ERRORS } from '../../../core/delos/kv/errors.ts'
import type { KvOptions } from '../../../core/delos/kv/store-contract.ts'
import type { EtcdService, RpcError } from '../../../core/delos/wire/service.ts'
import type { MusterError } from '../../../core/kernel/errors.ts'
import { parseDuration } from '../../../core/kernel/units.ts'
import type { Logger } from '../../../platform/logger.ts'
import type { ArchiveState } from '../../../core/delos/measure/server-page.ts'
import { startArchiver } from '../archive/archiver.ts'
import type { JsonCall } from '../etcd/port.ts'
import type { OpenNative } from '../native/connection.ts'
import type { Peers } from '../quorum/peers.ts'
import { guardService } from '../store/guard-service.ts'
import { identifyBy, type Identify } from '../store/identity.ts'
import { readRowsFile, type Materialiser } from '../store/materialiser.ts'
import { openStore } from '../store/open-store.ts'
import type { Replica } from '../store/replica.ts'
import { compareRows } from '../store/row-digests.ts'
import { TokenKeys, tokensFrom } from '../store/tokens.ts'
import { markRowsUnfit, removeUnfitRows } from '../store/unfit-rows.ts'
import type { VirtualLog } from '../virtual-log/virtual-log.ts'
import { adminCalls } from './admin.ts'
import { createAside, type Aside } from './aside.ts'
import { watchClocks } from './clock-skew.ts'
import { tokenKey } from './data-dir.ts'
import { exchangeSnapshots } from './exchange-snapshots.ts'
import { awaitFirstState } from './first-state.ts'
import type { Measures } from './measures.ts'
import { createMembers, type LogMembers, type Members, type MembersOptions } from './members.ts'
import type { ServeOptions } from './options.ts'
import { servicesOf, type Cluster, type Services } from './services.ts'
import { spaceCalls } from './space-calls.ts'
import { keepTrimming } from './trimming.ts'
import type { ServerQueues } from './metrics.ts'
import type { Tuning } from './tuning.ts'

/** A log that a store is opened on, and who else has it. */
export interface StoreLog {
  log: VirtualLog
  /** what the store follows and appends to; without it the log itself */
  ordered?: OrderedLog
  /** position after the last batch on this server's disk, which nobody else has; null: others have the log, too */
  localTail: number | null
  peers: Peers
  /** ids of the other servers */
  others: () => bigint[]
}

export interface ServedStoreOptions {
  options: Pick<
    ServeOptions,
    | 'name'
    | 'dataDir'
    | 'self'
    | 'clusterId'
    | 'clusterToken'
    | 'advertiseClientUrls'
    | 'quotaBytes'
    | 'autoCompaction'
    | 'requestBytesMax'
    | 'authToken'
    | 'features'
    | 'region'
  >
  files: { kvDb: string; snapshotDir: string; tokenKeyDir: string }
  /** those left out are etcd's */
  limits: Partial<KvOptions>
  tuning: Tuning
  measures: Measures
  /** Opens the log from the position on that the rows lack. */
  openLog: (from: number) => Promise<StoreLog>
  /** bytes of answers that wait to be read, at all ports */
  heldBytes: () => number
  /** Wraps how callers are known. */
  identified?: (replica: Replica, identify: Identify) => Identify
  /** Lets changes of members be made of more than this log. */
  changed?: (members: LogMembers, aside: Aside, log: VirtualLog) => Members
  promotes?: MembersOptions['promotes']
  /** a store that may never be used writes nothing before it is, and somebody else looks after its disk */
  isQuietUntilUsed: boolean
  /** the store has to be made anew: start once more */
  onAgain: () => void
  logger: Logger
  onFatal: (error: MusterError) => void
}

/** A store with all that its servers do for each other, and what can be asked of it. */
export interface ServedStore {
  log: VirtualLog
  peers: Peers
  replica: Replica
  materialiser: Materialiser
  services: Services
  service: Partial<EtcdService>
  native: OpenNative
  calls: Record<string, JsonCall>
  members: Members
  identify: Identify
  /** what waits for another server, or is kept for one */
  queues: () => ServerQueues
  /** where the log is archived, or null */
  archive: () => ArchiveState | null
  /** why this server does not serve; null: it does */
  trouble: () => string | null
  close: () => Promise<void>
}

const ANSWERED_MS = 500

/** Opens the rows, their log, and the store on both. Rejects, having closed what it opened, with what is in the way. */
export async function openServedStore(given: ServedStoreOptions): Promise<ServedStore> {
  const { options, files, limits, tuning, measures, isQuietUntilUsed, logger, onFatal } = given
  const { dataDir, self } = options
  const { kvDb, snapshotDir } = files
  const closers: (() => Promise<unknown>)[] = []
  const close = async (): Promise<void> => {
    for (const next of closers.splice(0).toReversed()) await next()
  }
  try {
    const aside = createAside(logger)
    closers.push(async () => aside.stop())
    removeUnfitRows(kvDb, logger)
    const kept = readRowsFile(kvDb, logger)
    const { log, ordered = log, localTail, peers, others } = await given.openLog((kept?.cursor.position ?? 0) + 1)
    aside.attach(peers, log, self.id, others)
    const clocks = watchClocks(logger)
    aside.onPong((from, roundTripMs, aheadMs) => {
      measures.pong(from, roundTripMs, aheadMs)
      clocks(from, roundTripMs, aheadMs)
    })

    const { replica, materialiser } = openStore({
      ...{
        log: ordered,
        file: kvDb,
        kept,
        dir: isQuietUntilUsed ? null : dataDir,
        localTail,
        limits,
        logger,
        onFatal,
        onAppended: measures.appended,
      },
      ...(tuning.syncEveryMs === undefined ? {} : { syncEveryMs: tuning.syncEveryMs }),
      server: presentServers(log.value()).find(({ id }) => BigInt(`0x${id}`) === self.id)?.server ?? 0,
      skips: skipsOf(log.value()),
      onAnew: (isFitForIt) => {
        if (!isFitForIt && others().length === 0 && log.head() > 1)
          return logger.error('the rows hold what is to be skipped, and nothing is left to make them without it', { head: log.head() })
        if (!isFitForIt) markRowsUnfit(kvDb, 'they hold a position that is to be skipped')
        logger.warn('starts again, to make its store without what is to be skipped')
        // Whoever asked for it is answered first.
        setTimeout(given.onAgain, ANSWERED_MS).unref()
      },
    })
    closers.push(() => replica.close())
    log.onValue((value) => replica.skip(skipsOf(value)))
    measures.follow(replica)
    const firstState = awaitFirstState(log, kept === null && others().length > 0)
    closers.push(async () => firstState.stop())
    const refusal = (): RpcError | null => digests.refusal() ?? firstState.refusal()
    const guarding = guardService(refusal)
    const shared = { peers, others, log, replica, materialiser, aside, self: self.id, logger, onFatal }
    const snapshots = await exchangeSnapshots({ ...shared, dataDir, kvDb, snapshotDir, isFit: (rows) => isFit(skipsOf(log.value()), rows) })
    closers.push(() => snapshots.stop())
    const archiver = startArchiver({
      ...{ dataDir, log, logger, ...tuning.archive },
      identity: {
        cluster: options.clusterId.toString(16),
        server: self.id.toString(16),
        name: options.name,
        leaseTtlMinS: limits.leaseTtlMinS ?? 1,
      },
    })
    closers.push(() => archiver.stop())
    const trimming = keepTrimming({
      ...shared,
      durable: () => materialiser.durablePosition(),
      archived: archiver.heldAfter,
      rules: tuning.trim,
    })
    closers.push(async () => trimming.stop())

    const tokenKeys = new TokenKeys(tokenKey(files.tokenKeyDir))
    const tokens = tokensFrom(options.authToken, tokenKeys, Date.now, parseDuration)
    const known = identifyBy(replica.store, tokens)
    // As long as it does not know the users, nobody is let in for a store without any, to the calls of operators either.
    const plain: Identify = (call) => firstState.refusal() ?? known(call)
    const identify = given.identified?.(replica, plain) ?? plain
    const own = createMembers({
      ...{
        ...shared,
        applied: () => replica.applied,
        clusterToken: options.clusterToken,
        limits: tuning.promotion,
        features: options.features,
        region: options.region ?? null,
        listen: () => peers.listen(),
      },
      ...(given.promotes === undefined ? {} : { promotes: given.promotes }),
    })
    closers.push(async () => own.stop())
    void own.tellName(options.name)
    const members = given.changed?.(own, aside, log) ?? own
    const cluster: Cluster = {
      servers: () =>
        presentServers(log.value()).map(({ id, name, addresses, role }) => {
          return { id: BigInt(`0x${id}`), name, peerUrls: addresses, isLearner: role === 'learner' }
        }),
      changes: members,
      moveLeader: (to) => log.moveLeader(to),
    }
    const digests = compareRows({
      ...{ replica, aside, self: self.id, servers: () => others().length + 1, logger },
      ...(tuning.markEvery === undefined ? {} : { every: tuning.markEvery }),
      onUnfit: (reason) => {
        markRowsUnfit(kvDb, reason)
        guarding.endStreams(KV_ERRORS.corrupt)
        // Its clock of leases goes by the rows too: another one leads better.
        for (const id of others()) if (log.moveLeader(id)) break
      },
    })
    closers.push(async () => digests.stop())
    const services = servicesOf({
      ...{ options, replica, materialiser, cluster, kvDb, snapshotDir, diskDir: isQuietUntilUsed ? null : dataDir },
      ...{ identify, aside, tokens, tokenKeys, logger, refusal, isQuietUntilUsed, ...tuning.containers },
      heldBytes: given.heldBytes,
    })
    closers.push(async () => services.stop())
    const space = spaceCalls({ name: options.name, log, archiver, trimming, replica, materialiser, kvDb, copies: snapshots.copies })
    return {
      archive: archiver.state,
      queues: () => ({
        peers: peers.queues(),
        parked: log.parked,
        earlyBytes: log.earlyBytes,
        keptBytes: log.keptBytes,
        snapshotBytes: snapshots.waitingBytes(),
      }),
      ...{ log, peers, replica, materialiser, services, members, identify, close },
      service: guarding.guard(measures.counted(services.service)),
      native: services.native,
      calls: adminCalls({
        log,
        replica,
        identify,
        members,
        features: options.features,
        clusterId: options.clusterId,
        self: self.id,
        more: space,
      }),
      trouble: () => digests.reason() ?? firstState.refusal()?.text ?? replica.refusal?.text ?? null,
    }
  } catch (error) {
    await close()
    throw error
  }
}
