import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { OrderedLog } from '../../../core/contracts/ordered-log.ts'
import { createStore } from '../../../core/delos/kv/store.ts'
import type { EtcdService } from '../../../core/delos/wire/service.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { parseDuration } from '../../../core/kernel/units.ts'
import { createLogger, type Logger } from '../../../platform/logger.ts'
import { openEtcdPort, type EtcdPort, type EtcdTls } from '../etcd/port.ts'
import { openFileLoglet } from '../file-loglet.ts'
import type { Peers } from '../quorum/peers.ts'
import type { QuorumLog } from '../quorum/quorum-log.ts'
import { openSingleLog } from '../store/single-log.ts'
import { readRowsFile, startMaterialiser } from '../store/materialiser.ts'
import { openReplica } from '../store/replica.ts'
import { EMPTY_CURSOR } from '../store/rows-file.ts'
import { TokenKeys, tokensFrom } from '../store/tokens.ts'
import { createAside } from './aside.ts'
import { holdDataDir, tokenKey } from './data-dir.ts'
import type { ServeOptions } from './options.ts'
import { pagesOf } from './pages.ts'
import { servicesOf } from './services.ts'

export interface Serving {
  /** `http://HOST:PORT` of each listener, with the port that was really taken */
  addresses: string[]
  /** resolves when the server can no longer go on */
  failed: Promise<MusterError>
  close(): Promise<void>
}

/** Bytes of a segment file of the lone server's log. */
const SEGMENT_BYTES = 64 * 1024 * 1024

/** Opens the data, brings the store up to the log, and answers clients. Rejects, having opened nothing, with what is in the way. */
export async function startServing(options: ServeOptions): Promise<Serving> {
  const { dataDir } = options
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const hold = holdDataDir(dataDir, options)
  const logger = createLogger(join(dataDir, 'server.log'))
  const fatal = Promise.withResolvers<MusterError>()
  const closers: (() => Promise<unknown>)[] = [async () => hold.release()]
  const close = async (): Promise<void> => {
    for (const next of closers.splice(0).toReversed()) await next()
  }
  try {
    const aside = createAside(logger)
    closers.push(async () => aside.stop())
    const peers = await connectPeers(options, logger)
    if (peers !== null) closers.push(() => peers.close())
    const { log, quorum } = await openLog(options, logger, fatal.resolve, peers)
    if (peers !== null)
      aside.attach(
        peers,
        log,
        options.self.id,
        options.members.map(({ id }) => id).filter((id) => id !== options.self.id),
      )
    const file = join(dataDir, 'kv.db')
    const kept = readRowsFile(file, logger)
    // In a quorum a server may have applied what it does not know yet to be committed; alone, it never has more than its log.
    if (quorum === null && kept !== null && kept.cursor.position >= log.tail())
      throw new MusterError(
        'DELOS_LOG_CORRUPT',
        `${file} goes to position ${kept.cursor.position}, its log only to ${log.tail() - 1}: part of the log is gone`,
        {
          hint: 'Restore the log from a backup. If it is lost for good, remove kv.db, and with it what only it holds.',
        },
      )
    const store = createStore(
      { leaseTtlMinS: options.profile === 'wan' ? 2 : 1, txnOpsMax: options.txnOpsMax, requestBytesMax: options.requestBytesMax },
      kept?.rows,
    )
    const materialiser = startMaterialiser(file, logger, kept?.cursor.position ?? 0)
    const replica = openReplica({
      log,
      store,
      cursor: kept?.cursor ?? EMPTY_CURSOR,
      materialiser,
      logger,
      now: Date.now,
      onFatal: fatal.resolve,
    })
    closers.push(() => replica.close())
    const tokenKeys = new TokenKeys(tokenKey(dataDir))
    const tokens = tokensFrom(options.authToken, tokenKeys, Date.now, parseDuration)
    const services = servicesOf({ options, replica, materialiser, quorum, aside, tokens, tokenKeys })
    closers.push(async () => services.stop())
    const pages = pagesOf({ replica, materialiser, counters: services.counters })
    const addresses: string[] = []
    for (const url of options.listenClientUrls) {
      const port = await openClientPort(url, options, services.service, pages)
      addresses.push(port.url)
      closers.push(() => port.close())
    }
    logger.info('answers clients', { addresses: addresses.join(','), position: replica.applied, revision: store.revision })
    return { addresses, failed: fatal.promise, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function openLog(
  options: ServeOptions,
  log: Logger,
  onFatal: (error: MusterError) => void,
  peers: Peers | null,
): Promise<{ log: OrderedLog; quorum: QuorumLog | null }> {
  const dir = join(options.dataDir, 'log', 'kv')
  if (peers === null) {
    return { log: openSingleLog(await openFileLoglet(dir, { segmentBytes: SEGMENT_BYTES }), options.self.id), quorum: null }
  }
  const { openQuorumLog } = await import('../quorum/quorum-log.ts')
  const members = options.members.map(({ id }) => id)
  const { clusterId, profile } = options
  const quorum = await openQuorumLog({ dir, clusterId, self: options.self.id, members, peers, profile, log, onFatal })
  return { log: quorum, quorum }
}

/** The connections to the other servers; null: there are none. */
async function connectPeers(options: ServeOptions, log: Logger): Promise<Peers | null> {
  if (options.members.length === 1) return null
  const { openPeers } = await import('../quorum/peers.ts')
  const [listen] = options.listenPeerUrls
  return openPeers({
    self: options.self.id,
    clusterId: options.clusterId,
    listen: { host: (listen as URL).hostname, port: Number((listen as URL).port) },
    peers: options.members.map(({ id, peerUrls }) => {
      const url = new URL(peerUrls[0] as string)
      return { id, host: url.hostname, port: Number(url.port) }
    }),
    tls: peerTls(options),
    log,
  })
}

function peerTls({ peerTls: files }: ServeOptions): { key: Buffer; cert: Buffer; ca: Buffer } | null {
  if (files === null) return null
  return { key: readFileSync(files.keyFile), cert: readFileSync(files.certFile), ca: readFileSync(files.caFile) }
}

async function openClientPort(
  url: URL,
  options: ServeOptions,
  service: Partial<EtcdService>,
  pages: ReturnType<typeof pagesOf>,
): Promise<EtcdPort> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = Number(url.port)
  try {
    return await openEtcdPort({
      host,
      port,
      service,
      pages,
      limits: { requestBytesMax: options.requestBytesMax },
      ...(url.protocol === 'https:' ? { tls: clientTls(options) } : {}),
    })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE' || code === 'EACCES' || code === 'EADDRNOTAVAIL')
      throw new MusterError('PORT_TAKEN', `${host}:${port} for clients cannot be opened (${code})`, {
        hint: 'Give another one with --listen-client-urls.',
        cause: error,
      })
    throw error
  }
}

function clientTls({ clientTls: files }: ServeOptions): EtcdTls {
  const read = (file: string): string => readFileSync(file, 'utf8')
  const { certFile, keyFile, caFile, needsCertificate } = files as NonNullable<typeof files>
  return { cert: read(certFile), key: read(keyFile), ...(caFile === null ? {} : { ca: read(caFile) }), requireClientCert: needsCertificate }
}
