import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { lastSegment } from '../../../core/delos/virtual-log/value.ts'
import type { MusterError } from '../../../core/kernel/errors.ts'
import { createLogger, type Logger } from '../../../platform/logger.ts'
import type { EtcdPort, EtcdPortOptions, EtcdTls } from '../etcd/port.ts'
import type { PeerTls } from '../quorum/peers.ts'
import { Seldom } from '../quorum/seldom.ts'
import { serveAgain, type Again } from './again.ts'
import { watchExpiry } from './certificate-expiry.ts'
import { openPortForClients } from './client-port.ts'
import { openClusterLog } from './cluster-log.ts'
import { holdDataDir } from './data-dir.ts'
import { belongingOf } from './join.ts'
import { Measures } from './measures.ts'
import type { ServeOptions } from './options.ts'
import { pagesOf } from './pages.ts'
import { openServedStore } from './served-store.ts'
import { tuningOf } from './tuning.ts'

export interface Serving {
  /** `http://HOST:PORT` of each listener, with the port that was really taken */
  addresses: string[]
  /** resolves when the server can no longer go on */
  failed: Promise<MusterError>
  close(): Promise<void>
}

/** Opens the data, brings the store up to the log, and answers clients. Rejects, having opened nothing, with what is in the way. */
export function startServing(options: ServeOptions): Promise<Serving> {
  return serveAgain(() => startOnce(options))
}

async function startOnce(given: ServeOptions): Promise<Serving & Again> {
  const { dataDir } = given
  const tuning = tuningOf(process.env)
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const logger = createLogger(join(dataDir, 'server.log'))
  const tls = peerTls(given)
  const belonging = await belongingOf(given, tls, logger)
  const options = { ...given, clusterId: belonging.clusterId, self: { ...given.self, id: belonging.self } }
  const hold = holdDataDir(dataDir, options, belonging.isKept)
  const fatal = Promise.withResolvers<MusterError>()
  const onFatal = fatal.resolve
  const again = Promise.withResolvers<void>()
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
    const ports: EtcdPort[] = []
    const store = await openServedStore({
      heldBytes: () => heldBy(ports),
      ...{ options, tuning, measures, isQuietUntilUsed: false, logger, onFatal, onAgain: again.resolve },
      files: { kvDb: join(dataDir, 'kv.db'), snapshotDir: join(dataDir, 'snapshots'), tokenKeyDir: dataDir },
      limits: { leaseTtlMinS: options.profile === 'wan' ? 2 : 1, txnOpsMax: options.txnOpsMax, requestBytesMax: options.requestBytesMax },
      openLog: async (from) => {
        const cluster = await openClusterLog({
          ...{ options, tls, value: belonging.value, from, logger, onFatal },
          ...{ segmentBytes: tuning.segmentBytes, onSync: measures.synced },
        })
        closers.push(() => cluster.close())
        return cluster
      },
    })
    closers.push(() => store.close())
    const { replica, materialiser, services } = store

    const pages = pagesOf({
      ...{ replica, materialiser, counters: services.counters, measures, options, members: services.members },
      ports: () => ports.map((port) => port.stats()),
      troubles: () => store.peers.troubles(),
      queues: store.queues,
      archive: store.archive,
      repairs: () => store.log.repairs(),
      loglet: () => lastSegment(store.log.value()).kind,
      trouble: store.trouble,
    })
    const served = { service: store.service, native: store.native, calls: store.calls, pages }
    for (const url of options.listenClientUrls) {
      const port = await openClientPort(url, options, served, logger)
      ports.push(port)
      closers.push(() => port.close())
    }
    const addresses = ports.map(({ url }) => url)
    logger.info('answers clients', { addresses: addresses.join(','), position: replica.applied, revision: replica.store.revision })
    return { addresses, failed: fatal.promise, again: again.promise, close }
  } catch (error) {
    await close()
    throw error
  }
}

const heldBy = (ports: readonly EtcdPort[]): number => ports.reduce((sum, port) => sum + port.stats().heldBytes, 0)

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
