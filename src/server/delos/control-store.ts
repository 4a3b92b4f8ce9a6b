import { mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isRefusal, MusterError } from '../../core/kernel/errors.ts'
import { carryOut, type CarriedOut, type Wish } from '../../core/delos/programs/carry-out.ts'
import { storeOperations } from '../../core/delos/programs/index.ts'
import { FEATURES } from '../../core/delos/virtual-log/features.ts'
import type { RegisterValue } from '../../core/delos/virtual-log/value.ts'
import { lastSegment, presentServers } from '../../core/delos/virtual-log/value.ts'
import type { Logger } from '../../platform/logger.ts'
import type { StatePaths } from '../../platform/paths.ts'
import type { EtcdPort, JsonCall } from './etcd/port.ts'
import type { ControlDigests } from './control-digests.ts'
import { keepControl } from './control-upkeep.ts'
import { openFileLoglet } from './file-loglet.ts'
import { openFleetLog, SEGMENT_BYTES } from './fleet-logs.ts'
import type { StateCopy } from '../state/control-log.ts'
import type { Identity } from '../state/identity.ts'
import { fleetMembers, type FleetMembers } from './membership/fleet-members.ts'
import { scopedPeers, type Peers } from './quorum/peers.ts'
import { adminCalls } from './serve/admin.ts'
import type { LeaderChange } from '../../core/delos/measure/server-page.ts'
import { LeaderGap } from './serve/leader-gap.ts'
import { Measures } from './serve/measures.ts'
import type { Aside } from './serve/aside.ts'
import { createMembers } from './serve/members.ts'
import { openServedStore } from './serve/served-store.ts'
import { tuningOf } from './serve/tuning.ts'
import { identifyLocal, LocalCall } from './store/identity.ts'
import type { Replica } from './store/replica.ts'
import { runProgram } from './store/run-program.ts'
import { quietLog, type QuietLog } from './store/quiet-log.ts'
import type { VirtualLog } from './virtual-log/virtual-log.ts'

/** The key-value store of the control plane: on a log of its own, the same store as that of `delos serve`. */
export interface ControlStore {
  replica: Replica
  log: QuietLog
  /** of what the log is made, and how it moves */
  chain: VirtualLog
  /** the servers of the fleet, of both its logs */
  members: FleetMembers
  /** operators' calls about either log */
  calls: Record<'control' | 'kv', Record<string, JsonCall>>
  /** Carries out an operation of `delos.kv`, `.lease` or `.lock`, on behalf of somebody who may. Rejects with its refusal. */
  operate: (name: string, input: unknown, who: { actor: string; signal?: AbortSignal }, wish?: Wish) => Promise<CarriedOut<unknown>>
  /** Answers etcd's clients at `HOST:PORT` too; gives the address it really has. Rejects with PORT_TAKEN or USAGE. */
  openPort: (address: string) => Promise<string>
  /** that something archives its log */
  archive: () => boolean
  /** the states that the servers made of the control log, compared */
  states: ControlDigests
  /** the last change of who leads either log, as this server saw it */
  gaps: Record<'control' | 'kv', () => LeaderChange | null>
  /** oldest revision that can be read */
  oldest: () => number
  close: () => Promise<void>
}

export interface ControlStoreOptions {
  paths: StatePaths
  identity: Identity
  /** of the process */
  peers: Peers
  /** the log of muster's own state, whose servers are those of this one */
  control: VirtualLog
  /** what is made of that log here */
  state: StateCopy
  /** of a server that joins: what the register was then */
  initial?: RegisterValue
  profile?: 'lan' | 'wan'
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
const DO_IT: Wish = { isPlan: false, apply: undefined }

/** Opens the store of a state directory; before it is used, its log gets no segment file and the store no rows. */
export async function openControlStore(given: ControlStoreOptions): Promise<ControlStore> {
  const { paths, identity, peers, control, logger, onFatal } = given
  const self = { id: BigInt(`0x${identity.server}`), name: identity.name, peerUrls: [] }
  const clusterId = BigInt(`0x${identity.cluster}`)
  await setOldFormAside(paths, logger)
  const measures = new Measures()
  const clientUrls: string[] = []
  const options = {
    ...{ name: identity.name, dataDir: paths.root, self, clusterId, clusterToken: 'muster', advertiseClientUrls: clientUrls },
    ...{
      quotaBytes: QUOTA_BYTES,
      requestBytesMax: REQUEST_BYTES_MAX,
      authToken: 'simple',
      features: FEATURES,
      region: identity.region ?? null,
    },
    autoCompaction: { mode: 'revision', keep: HISTORY_REVISIONS } as const,
  }
  const ports: EtcdPort[] = []
  let log: QuietLog | null = null
  let members: FleetMembers | null = null
  let between: Aside | null = null
  const tuning = tuningOf(process.env, SEGMENT_BYTES)
  const store = await openServedStore({
    ...{ options, measures, limits: {}, isQuietUntilUsed: true, logger, onFatal },
    heldBytes: () => ports.reduce((sum, port) => sum + port.stats().heldBytes, 0),
    onAgain: () =>
      onFatal(new MusterError('DELOS_POISON', 'the key-value store is made anew, without what is to be skipped: start the server again')),
    files: { kvDb: paths.kvDb, snapshotDir: join(paths.root, 'snapshots'), tokenKeyDir: paths.root },
    tuning: { ...tuning, segmentBytes: given.segmentBytes ?? tuning.segmentBytes },
    openLog: async (from) => {
      const chain = await openFleetLog('kv', { ...given, from })
      log = quietLog(chain)
      const others = (): bigint[] => presentServers(chain.value()).flatMap(({ id }) => (id === identity.server ? [] : [BigInt(`0x${id}`)]))
      return { log: chain, ordered: log, localTail: chain.localTail(), peers: scopedPeers(peers, 'kv'), others }
    },
    identified: (replica, identify) => identifyLocal(replica.store, identify),
    // The servers of this log are those of the other one.
    promotes: 'never',
    changed: (own, aside, chain) => {
      between = aside
      const missingOfKv = (id: string): number => {
        const server = presentServers(chain.value()).find((each) => each.id === id)?.server
        return server === undefined ? 1 : (own.health().get(server)?.missingBatches ?? 1)
      }
      const ofControl = createMembers({
        ...{ log: control, applied: () => control.tail() - 1, aside, self: self.id, clusterToken: 'muster', logger },
        ...{
          topic: 'server.health.control',
          features: FEATURES,
          region: identity.region ?? null,
          promotes: 'odd',
          // Who leads alone after the first one's end has the state, or the fleet waits for that one.
          made: given.state.applied,
          missingBeside: missingOfKv,
          limits: tuning.promotion,
          listen: () => peers.listen(),
        },
      })
      members = fleetMembers({
        control: { log: control, members: ofControl },
        kv: { log: chain, members: own },
        leads: () => control.role().isLeader,
        logger,
      })
      return members
    },
  })
  if (log === null || members === null || between === null) throw new MusterError('INTERNAL', 'the store has no log')
  const quiet: QuietLog = log
  const both: FleetMembers = members
  const upkeep = await keepControl({
    ...{ paths, name: identity.name, self: self.id, chain: control, copy: given.state, tuning, logger, onFatal },
    ...{ peers: scopedPeers(peers, 'control'), aside: between },
  })
  const gap = new LeaderGap(control.role().leader)
  const stopRole = control.onRole((role) => gap.noteRole(role))
  control.onCommitted(() => gap.noteEntry())
  const oldest = (): number => Math.max(store.replica.store.compactRevision, 1)

  return {
    replica: store.replica,
    log: quiet,
    chain: store.log,
    members: both,
    calls: {
      kv: store.calls,
      // What else there is, is about the entries of a store.
      control: ofControl(
        adminCalls({
          ...{ log: control, replica: store.replica, identify: store.identify, members: both },
          ...{ features: FEATURES, clusterId, self: self.id, more: upkeep.calls, skips: upkeep.skips },
        }),
      ),
    },
    archive: () => store.archive() !== null,
    states: upkeep.digests,
    gaps: { control: () => gap.last, kv: () => measures.lastChange },
    oldest,
    operate: async (name, input, { actor, signal }, wish = DO_IT) => {
      const operation = storeOperations.get(name)
      if (operation === undefined) throw new MusterError('UNAVAILABLE', `${name} is not served by this process`)
      const done = await runProgram(store.service, carryOut(operation, input as never, wish), new LocalCall(actor, signal))
      if (!isRefusal(done)) return done
      throw done.code === 'DELOS_REVISION' ? withOldest(done, oldest()) : done
    },
    openPort: async (address) => {
      const match = /^(.+):(\d+)$/.exec(address)
      if (match === null) throw new MusterError('USAGE', `--etcd wants HOST:PORT, not "${address}"`)
      const { openPortForClients } = await import('./serve/client-port.ts')
      const { pagesOf } = await import('./serve/pages.ts')
      const host = (match[1] as string).replace(/^\[|\]$/g, '')
      const pages = pagesOf({
        ...{ replica: store.replica, materialiser: store.materialiser, counters: store.services.counters, measures },
        members: store.services.members,
        options: { ...options, members: [self], clientTls: null, peerTls: null },
        ports: () => ports.map((one) => one.stats()),
        troubles: () => peers.troubles(),
        queues: store.queues,
        archive: store.archive,
        repairs: () => store.log.repairs(),
        loglet: () => lastSegment(store.log.value()).kind,
        trouble: store.trouble,
      })
      const { service, native, calls } = store
      const port = await openPortForClients({ host, port: Number(match[2]), service, native, calls, pages }, '--etcd')
      ports.push(port)
      clientUrls.push(port.url)
      return new URL(port.url).host
    },
    close: async () => {
      for (const port of ports) await port.close()
      both.stop()
      stopRole()
      measures.stop()
      await upkeep.stop()
      await store.close()
      await store.log.close()
    },
  }
}

/** Calls that are about where a log lies, whose it is, and what is kept of it. */
function ofControl(calls: Record<string, JsonCall>): Record<string, JsonCall> {
  const isOfChain = (path: string): boolean => /\/(log\/(loglets|switch|skip|trim)|member\/\w+)$/.test(path)
  return Object.fromEntries(Object.entries(calls).filter(([path]) => isOfChain(path)))
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
