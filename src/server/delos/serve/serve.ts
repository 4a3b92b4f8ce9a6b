import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { presentServers } from '../../../core/delos/virtual-log/value.ts'
import { KV_ERRORS } from '../../../core/delos/kv/errors.ts'
import type { RpcError } from '../../../core/delos/wire/service.ts'
import type { MusterError } from '../../../core/kernel/errors.ts'
import { parseDuration } from '../../../core/kernel/units.ts'
import { createLogger, type Logger } from '../../../platform/logger.ts'
import type { EtcdPort, EtcdPortOptions, EtcdTls } from '../etcd/port.ts'
import type { PeerTls } from '../quorum/peers.ts'
import { Seldom } from '../quorum/seldom.ts'
import { exchangeDigests } from '../store/digest-exchange.ts'
import { guardService } from '../store/guard-service.ts'
import { identifyBy, type Identify } from '../store/identity.ts'
import { readRowsFile } from '../store/materialiser.ts'
import { openStore } from '../store/open-store.ts'
import { TokenKeys, tokensFrom } from '../store/tokens.ts'
import { markRowsUnfit, removeUnfitRows } from '../store/unfit-rows.ts'
import { adminCalls } from './admin.ts'
import { createAside } from './aside.ts'
import { watchExpiry } from './certificate-expiry.ts'
import { openPortForClients } from './client-port.ts'
import { watchClocks } from './clock-skew.ts'
import { openClusterLog } from './cluster-log.ts'
import { holdDataDir, tokenKey } from './data-dir.ts'
import { exchangeSnapshots } from './exchange-snapshots.ts'
import { awaitFirstState } from './first-state.ts'
import { belongingOf } from './join.ts'
import { Measures } from './measures.ts'
import { createMembers } from './members.ts'
import type { ServeOptions } from './options.ts'
import { pagesOf } from './pages.ts'
import { servicesOf, type Cluster } from './services.ts'
import { keepTrimming } from './trimming.ts'
import { tuningOf } from './tuning.ts'

export interface Serving {
  /** `http://HOST:PORT` of each listener, with the port that was really taken */
  addresses: string[]
  /** resolves when the server can no longer go on */
  failed: Promise<MusterError>
  close(): Promise<void>
}

/** Opens the data, brings the store up to the log, and answers clients. Rejects, having opened nothing, with what is in the way. */
export async function startServing(given: ServeOptions): Promise<Serving> {
  const { dataDir } = given
  const tuning = tuningOf(process.env)
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const logger = createLogger(join(dataDir, 'server.log'))
  const tls = peerTls(given)
  const belonging = await belongingOf(given, tls, logger)
  const options = { ...given, clusterId: belonging.clusterId, self: { ...given.self, id: belonging.self } }
  const self = options.self.id
  const hold = holdDataDir(dataDir, options, belonging.isKept)
  const fatal = Promise.withResolvers<MusterError>()
  const onFatal = fatal.resolve
  void fatal.promise.then(({ code, message }) => logger.error('cannot go on', { code, error: message }))
  const measures = new Measures()
  const closers: (() => Promise<unknown>)[] = [async () => hold.release(), async () => measures.stop()]
  const close = async (): Promise<void> => {
    for (const next of closers.splice(0).toReversed()) await next()
  }
  try {
    const certificates = [options.clientTls?.certFile, options.peerTls?.certFile].filter((file) => file !== undefined)
    const expiry = watchExpiry(certificates, logger)
    closers.push(async () => expiry.stop())
    const aside = createAside(logger)
    closers.push(async () => aside.stop())

    const kvDb = join(dataDir, 'kv.db')
    const snapshotDir = join(dataDir, 'snapshots')
    removeUnfitRows(kvDb, logger)
    const kept = readRowsFile(kvDb, logger)
    const { log, localTail, peers, others, ...clusterLog } = await openClusterLog({
      ...{ options, tls, value: belonging.value, from: (kept?.cursor.position ?? 0) + 1, logger, onFatal },
      ...{ segmentBytes: tuning.segmentBytes, onSync: measures.synced },
    })
    closers.push(() => clusterLog.close())
    aside.attach(peers, log, self, others)
    const clocks = watchClocks(logger)
    aside.onPong((from, roundTripMs, aheadMs) => {
      measures.pong(from, roundTripMs, aheadMs)
      clocks(from, roundTripMs, aheadMs)
    })

    const { replica, materialiser } = openStore({
      ...{ log, file: kvDb, kept, dir: dataDir, localTail, logger, onFatal, onAppended: measures.appended },
      limits: { leaseTtlMinS: options.profile === 'wan' ? 2 : 1, txnOpsMax: options.txnOpsMax, requestBytesMax: options.requestBytesMax },
      ...(tuning.syncEveryMs === undefined ? {} : { syncEveryMs: tuning.syncEveryMs }),
    })
    closers.push(() => replica.close())
    measures.follow(replica)
    const firstState = awaitFirstState(log, kept === null && others().length > 0)
    closers.push(async () => firstState.stop())
    const refusal = (): RpcError | null => digests.refusal() ?? firstState.refusal()
    const guarding = guardService(refusal)
    const shared = { peers, others, log, replica, materialiser, aside, self, logger, onFatal }
    closers.push(await exchangeSnapshots({ ...shared, dataDir, kvDb, snapshotDir }))
    const stopTrimming = keepTrimming({ ...shared, rules: tuning.trim })
    closers.push(async () => stopTrimming())

    const tokenKeys = new TokenKeys(tokenKey(dataDir))
    const tokens = tokensFrom(options.authToken, tokenKeys, Date.now, parseDuration)
    const identifyKnown = identifyBy(replica.store, tokens)
    // As long as it does not know the users, nobody is let in for a store without any, to the calls of operators either.
    const identify: Identify = (call) => firstState.refusal() ?? identifyKnown(call)
    const members = createMembers({ ...shared, clusterToken: options.clusterToken, listen: () => peers.listen() })
    closers.push(async () => members.stop())
    void members.tellName(options.name)
    const cluster: Cluster = {
      servers: () =>
        presentServers(log.value()).map(({ id, name, addresses, role }) => {
          return { id: BigInt(`0x${id}`), name, peerUrls: addresses, isLearner: role === 'learner' }
        }),
      changes: members,
      moveLeader: (to) => log.moveLeader(to),
    }
    const digests = exchangeDigests({
      ...{ replica, aside, self, servers: () => others().length + 1, logger },
      onUnfit: (reason) => {
        markRowsUnfit(kvDb, reason)
        guarding.endStreams(KV_ERRORS.corrupt)
        // Its clock of leases goes by the rows too: another one leads better.
        for (const id of others()) if (log.moveLeader(id)) break
      },
    })
    closers.push(async () => digests.stop())
    const services = servicesOf({
      ...{ options, replica, materialiser, cluster, kvDb, snapshotDir, diskDir: dataDir },
      ...{ identify, aside, tokens, tokenKeys, logger, refusal },
      heldBytes: () => ports.reduce((sum, port) => sum + port.stats().heldBytes, 0),
    })
    closers.push(async () => services.stop())

    const ports: EtcdPort[] = []
    const served = {
      service: guarding.guard(measures.counted(services.service)),
      native: services.native,
      calls: adminCalls({ log, store: replica.store, identify, members, clusterId: options.clusterId, self }),
      pages: pagesOf({
        ...{ replica, materialiser, counters: services.counters, measures, options, members: services.members },
        ports: () => ports.map((port) => port.stats()),
        troubles: () => peers.troubles(),
        queues: () => ({ peers: peers.queues(), parked: log.parked }),
        trouble: () => digests.reason() ?? firstState.refusal()?.text ?? null,
      }),
    }
    for (const url of options.listenClientUrls) {
      const port = await openClientPort(url, options, served, logger)
      ports.push(port)
      closers.push(() => port.close())
    }
    const addresses = ports.map(({ url }) => url)
    logger.info('answers clients', { addresses: addresses.join(','), position: replica.applied, revision: replica.store.revision })
    return { addresses, failed: fatal.promise, close }
  } catch (error) {
    await close()
    throw error
  }
}

function peerTls({ peerTls: files }: ServeOptions): PeerTls | null {
  if (files === null) return null
  return { key: readFileSync(files.keyFile), cert: readFileSync(files.certFile), ca: readFileSync(files.caFile) }
}

function openClientPort(
  url: URL,
  options: ServeOptions,
  served: Pick<EtcdPortOptions, 'service' | 'native' | 'pages' | 'calls'>,
  log: Logger,
): Promise<EtcdPort> {
  // A client that is refused tries again and again.
  const seldom = new Seldom()
  return openPortForClients(
    {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port),
      ...served,
      limits: { requestBytesMax: options.requestBytesMax },
      onRefused: (client, reason) => {
        if (seldom.isDue(reason)) log.warn('refused a connection of a client', { client, reason })
      },
      ...(url.protocol === 'https:' ? { tls: clientTls(options) } : {}),
    },
    '--listen-client-urls',
  )
}

function clientTls({ clientTls: files }: ServeOptions): EtcdTls {
  const read = (file: string): string => readFileSync(file, 'utf8')
  const { certFile, keyFile, caFile, needsCertificate } = files as NonNullable<typeof files>
  return { cert: read(certFile), key: read(keyFile), ...(caFile === null ? {} : { ca: read(caFile) }), requireClientCert: needsCertificate }
}
