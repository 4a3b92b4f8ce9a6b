import { mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isRefusal, MusterError } from '../../core/kernel/errors.ts'
import { parseDuration } from '../../core/kernel/units.ts'
import { carryOut, type CarriedOut, type Wish } from '../../core/delos/programs/carry-out.ts'
import { storeOperations } from '../../core/delos/programs/index.ts'
import type { Logger } from '../../platform/logger.ts'
import type { StatePaths } from '../../platform/paths.ts'
import type { RpcError } from '../../core/delos/wire/service.ts'
import type { EtcdPort } from './etcd/port.ts'
import { openFileLoglet } from './file-loglet.ts'
import { openFleetLog } from './fleet-logs.ts'
import type { Identity } from '../state/identity.ts'
import type { Peers } from './quorum/peers.ts'
import type { Measures } from './serve/measures.ts'
import { createAside } from './serve/aside.ts'
import { tokenKey } from './serve/data-dir.ts'
import { servicesOf } from './serve/services.ts'
import { identifyBy, identifyLocal, LocalCall } from './store/identity.ts'
import type { MemberChanges } from './store/maintenance-service.ts'
import { readRowsFile } from './store/materialiser.ts'
import { openStore } from './store/open-store.ts'
import type { Replica } from './store/replica.ts'
import { runProgram } from './store/run-program.ts'
import { quietLog, type QuietLog } from './store/quiet-log.ts'
import { TokenKeys, tokensFrom } from './store/tokens.ts'
import type { VirtualLog } from './virtual-log/virtual-log.ts'

/** The key-value store of the control plane: on a log of its own, the same store as that of `delos serve`. */
export interface ControlStore {
  replica: Replica
  log: QuietLog
  /** of what the log is made, and how it moves */
  chain: VirtualLog
  /** Carries out an operation of `delos.kv`, `.lease` or `.lock`, on behalf of somebody who may. Rejects with its refusal. */
  operate: (name: string, input: unknown, who: { actor: string; signal?: AbortSignal }, wish?: Wish) => Promise<CarriedOut<unknown>>
  /** Answers etcd's clients at `HOST:PORT` too; gives the address it really has. Rejects with PORT_TAKEN or USAGE. */
  openPort: (address: string) => Promise<string>
  /** oldest revision that can be read */
  oldest: () => number
  close: () => Promise<void>
}

export interface ControlStoreOptions {
  paths: StatePaths
  identity: Identity
  /** of the process */
  peers: Peers
  logger: Logger
  onFatal: (error: MusterError) => void
  /** default 16 MiB; made at the first write */
  segmentBytes?: number
  /** told the time of each durable write */
  onSync?: (ms: number) => void
}

/** History kept; looked at every few minutes. */
const HISTORY_REVISIONS = 100_000
const QUOTA_BYTES = 2 * 1024 ** 3
const REQUEST_BYTES_MAX = 1_572_864
const NO_MEMBER_CHANGE: RpcError = { code: 12, text: 'muster: the store of a context has one server' }
const ALONE: MemberChanges = {
  add: async () => NO_MEMBER_CHANGE,
  remove: async () => NO_MEMBER_CHANGE,
  update: async () => NO_MEMBER_CHANGE,
  promote: async () => NO_MEMBER_CHANGE,
}
const DO_IT: Wish = { isPlan: false, apply: undefined }

/** Opens the store of a state directory; before it is used, its log gets no segment file and the store no rows. */
export async function openControlStore(options: ControlStoreOptions): Promise<ControlStore> {
  const { paths, identity, logger, onFatal } = options
  const self = { id: BigInt(`0x${identity.server}`), name: identity.name, peerUrls: [] }
  const clusterId = BigInt(`0x${identity.cluster}`)
  await setOldFormAside(paths, logger)
  const kept = readRowsFile(paths.kvDb, logger)
  const chain = await openFleetLog('kv', { ...options, from: (kept?.cursor.position ?? 0) + 1 })
  const log = quietLog(chain)
  const { replica, materialiser } = openStore({
    ...{ log, file: paths.kvDb, kept, dir: null, limits: {}, localTail: chain.localTail(), logger, onFatal },
  })
  const aside = createAside(logger)
  const tokenKeys = new TokenKeys(tokenKey(paths.root))
  const tokens = tokensFrom('simple', tokenKeys, Date.now, parseDuration)
  const clientUrls: string[] = []
  const services = servicesOf({
    options: {
      clusterId,
      self,
      advertiseClientUrls: clientUrls,
      quotaBytes: QUOTA_BYTES,
      autoCompaction: { mode: 'revision', keep: HISTORY_REVISIONS },
      requestBytesMax: REQUEST_BYTES_MAX,
    },
    replica,
    materialiser,
    cluster: { servers: () => [{ ...self, isLearner: false }], changes: ALONE, moveLeader: () => false },
    ...{ kvDb: paths.kvDb, snapshotDir: join(paths.root, 'snapshots'), diskDir: null },
    identify: identifyLocal(replica.store, identifyBy(replica.store, tokens)),
    ...{ aside, tokens, tokenKeys, logger },
    isQuietUntilUsed: true,
  })
  const ports: EtcdPort[] = []
  let measures: Measures | null = null
  const oldest = (): number => Math.max(replica.store.compactRevision, 1)

  return {
    replica,
    log,
    chain,
    oldest,
    operate: async (name, input, { actor, signal }, wish = DO_IT) => {
      const operation = storeOperations.get(name)
      if (operation === undefined) throw new MusterError('UNAVAILABLE', `${name} is not served by this process`)
      const done = await runProgram(services.service, carryOut(operation, input as never, wish), new LocalCall(actor, signal))
      if (!isRefusal(done)) return done
      throw done.code === 'DELOS_REVISION' ? withOldest(done, oldest()) : done
    },
    openPort: async (address) => {
      const match = /^(.+):(\d+)$/.exec(address)
      if (match === null) throw new MusterError('USAGE', `--etcd wants HOST:PORT, not "${address}"`)
      const { openPortForClients } = await import('./serve/client-port.ts')
      const { pagesOf } = await import('./serve/pages.ts')
      const host = (match[1] as string).replace(/^\[|\]$/g, '')
      const { Measures } = await import('./serve/measures.ts')
      measures ??= new Measures()
      measures.follow(replica)
      const { root: dataDir } = paths
      const pages = pagesOf({
        ...{ replica, materialiser, counters: services.counters, measures, members: services.members },
        options: { name: self.name, dataDir, self, members: [self], clusterId, quotaBytes: QUOTA_BYTES, clientTls: null, peerTls: null },
        ports: () => ports.map((one) => one.stats()),
        troubles: () => [],
        trouble: () => null,
      })
      const service = measures.counted(services.service)
      const port = await openPortForClients({ host, port: Number(match[2]), service, native: services.native, pages }, '--etcd')
      ports.push(port)
      clientUrls.push(port.url)
      return new URL(port.url).host
    },
    close: async () => {
      for (const port of ports) await port.close()
      measures?.stop()
      services.stop()
      aside.stop()
      await replica.close()
    },
  }
}

function withOldest({ code, message, details }: MusterError, oldest: number): MusterError {
  return new MusterError(code, `${message} The oldest is ${oldest}.`, { details: { ...(details as object), oldest } })
}

/** A log of the form before this store is set aside, whole, and its rows are removed: they mean nothing to it. */
async function setOldFormAside({ log, kvDb }: StatePaths, logger: Logger): Promise<void> {
  const dir = join(log, 'kv')
  const names = await readdir(dir).catch(() => [])
  if (!names.some((name) => name.endsWith('.seg'))) return
  const loglet = await openFileLoglet(dir)
  const [first] = loglet.readNext(loglet.head(), 1)
  await loglet.close()
  if (first?.payload[0] !== OPENING_BRACE) return
  const aside = await mkdtemp(`${dir}-old-form-`)
  await rename(dir, join(aside, 'kv'))
  for (const suffix of ['', '-wal', '-shm']) await rm(kvDb + suffix, { force: true })
  logger.warn('the key-value store begins anew: its log was of an older form, and is kept aside', { dir: aside })
}

/** How the entries of the older form begin: they were JSON. */
const OPENING_BRACE = 0x7b
