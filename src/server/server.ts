import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Entry } from '../core/contracts/entry.ts'
import { controlSystems } from '../core/systems.ts'
import { presentServers, type RegisterValue } from '../core/delos/virtual-log/value.ts'
import { assert } from '../core/kernel/assert.ts'
import type { MusterError } from '../core/kernel/errors.ts'
import { createLogger } from '../platform/logger.ts'
import type { StatePaths } from '../platform/paths.ts'
import { identify } from '../platform/process.ts'
import { createDoors } from './api/doors.ts'
import { describeStatus } from './api/status.ts'
import { openTokens } from './api/tokens.ts'
import { openArtifacts } from './artifacts.ts'
import { openControlStore } from './delos/control-store.ts'
import { openFleetLog, SEGMENT_BYTES } from './delos/fleet-logs.ts'
import { createLogMeter } from './delos/log-meter.ts'
import { fleetServers } from './delos/membership/fleet-calls.ts'
import { openAuthority } from './delos/membership/authority.ts'
import { readJoined } from './delos/membership/joined.ts'
import { joinFleet } from './delos/membership/join.ts'
import { keyFiles } from './delos/membership/key-files.ts'
import { openPoisonNote } from './delos/store/poison-note.ts'
import { tuningOf } from './delos/serve/tuning.ts'
import { watchedStore } from './delos/store-watch.ts'
import type { VirtualLog } from './delos/virtual-log/virtual-log.ts'
import { connectServers, peersAddress } from './fleet-servers.ts'
import { runOnLeader } from './following/run-on-leader.ts'
import { followingHouse } from './following/house.ts'
import { openLeaderLink } from './following/leader-link.ts'
import { spreadArtifacts } from './following/spread-artifacts.ts'
import { takeTurns } from './following/turns.ts'
import { lead, type ServerParts } from './leading.ts'
import { agentProcess, readLocalFleet } from './processes/fleet.ts'
import { freePort } from '../platform/free-port.ts'
import { createSupervisor } from '../platform/supervisor.ts'
import { createScubaClient } from './scuba/client.ts'
import { keepPostgresAccess } from './scuba/postgres.ts'
import { LOG_TABLE } from '../core/scuba/names.ts'
import type { IntakeOptions } from '../core/scuba/ports.ts'
import { keepOwnLeafDoor } from './scuba/own-leaf.ts'
import { ensureLeaf } from './scuba/process.ts'
import { createTelemetry, type Telemetry } from './scuba/telemetry.ts'
import { createTracer } from './tracer.ts'
import { Measures } from './metrics/measures.ts'
import { openControlLog } from './state/control-log.ts'
import { holdIdentity } from './state/identity.ts'
import { lockState, prepareStateDir } from './state/state-dir.ts'
import { WallClock } from './state/wall-clock.ts'
import { createAgentPort } from './tw/agent-port.ts'
import { createDialBack } from './tw/dial-back.ts'
import { createNodeTokenAction } from './tw/node-token.ts'
import { createTaskTokens } from './tw/task-tokens.ts'
import { createPages } from './web/pages.ts'

export interface ServerOptions {
  /** `HOST:PORT` for a TCP listener with bearer tokens, or null */
  listen: string | null
  /** `HOST:PORT` where the key-value store answers etcd's clients, or null */
  etcd: string | null
  /** `HOST:PORT` where PostgreSQL's clients are answered about scuba's tables, or null */
  postgres: string | null
  /** ways in for other people's telemetry, which the leaf opens */
  intake: IntakeOptions
  /** token of `delos member token`: this server comes to that cluster with an empty state directory; null: it is what its directory says */
  join: string | null
  /** of this server, for people; null: that of the machine */
  name: string | null
  /** of one that joins: a voter as soon as it has caught up, else a learner */
  isVoter: boolean
  /** `HOST:PORT` where other servers reach this one; null: what it was before, at first 127.0.0.1 and a free port */
  peers: string | null
  /** `HOST:PORT` where agents of other machines reach this server; null: as before, at first nowhere */
  agents: string | null
  /** where this server is; null: as before */
  region: string | null
  /** how soon silence of the leader is believed to be its end; null: `wan` */
  profile: 'lan' | 'wan' | null
  /** the log can no longer be written: end the process */
  onFatal: (error: MusterError) => void
}

/** What `server.json` says, for the CLI. */
export interface ServerFile {
  pid: number
  startTime: number
  bootId: string
  socket: string
  listen: string | null
  etcd: string | null
  startedAt: number
}

/** Starts the control plane on a state directory; resolves when it answers. */
export async function startServer(paths: StatePaths, options: ServerOptions): Promise<{ stop: () => Promise<void> }> {
  const startedAt = Date.now()
  prepareStateDir(paths)
  const lock = lockState(paths)
  // Its lines go to the table muster_logs too, once there is telemetry.
  let onLine: ((row: Record<string, unknown>) => void) | null = null
  const log = createLogger(join(paths.logs, 'server.log'), (level, message, fields) =>
    onLine?.({ ...fields, level, message, source: 'server' }),
  )
  log.info('the server starts', { pid: process.pid, root: paths.root })

  const meter = createLogMeter(watchedStore(process.env))
  const { onFatal } = options
  if (options.join !== null) await joinWith(options.join, options, paths)
  const identity = await holdIdentity(paths, options.name, options.region)
  const authority = openAuthority({ keysDir: paths.keys, identity, hosts: () => hostsOf(options.peers), now: Date.now, logger: log })
  const tls = keyFiles(paths.keys).readServer() === null ? null : await authority.tls()
  const doors = createDoors()
  const servers = connectServers({ identity, address: options.peers, authority, tls, onClient: doors.take, log, onFatal })
  const registers = readJoined(paths.root)
  const initialOf = (name: 'control' | 'kv'): { initial?: RegisterValue } => (registers === null ? {} : { initial: registers[name] })
  const { peers } = servers
  const { profile } = options
  const { segmentBytes, markEvery } = tuningOf(process.env, SEGMENT_BYTES)
  const shared = { paths, identity, peers, segmentBytes, logger: log, onFatal, ...(profile === null ? {} : { profile }) }
  let chain: VirtualLog | null = null
  const wallClock = new WallClock()
  const control = await openControlLog({
    openLog: async (from) =>
      (chain = await openFleetLog('control', { ...shared, ...initialOf('control'), from, onSync: meter.onSync('control') })),
    ...{ dbFile: paths.stateDb, systems: controlSystems, clock: () => wallClock.now(), log, onFatal },
    poison: openPoisonNote(join(paths.log, 'control')),
    ...(markEvery === undefined ? {} : { markEvery }),
  })
  assert(chain !== null, 'a control log has a log')
  const controlChain: VirtualLog = chain
  const store = await openControlStore({
    ...shared,
    ...initialOf('kv'),
    control: controlChain,
    state: control.copy,
    onSync: meter.onSync('kv'),
  })
  wallClock.compareWith(() => store.members.health().values())
  log.info('the state is at the end of the log', { position: control.tail(), ms: Date.now() - startedAt })

  const leaf = ensureLeaf(paths, log, options.intake)
  const scuba = createScubaClient(paths.scubaSocket)
  const telemetry = createTelemetry(scuba, log)
  onLine = (row) => telemetry.add('muster_logs', { ...row, server: identity.name, time: Date.now() })
  const measures = new Measures()
  const tracer = createTracer(telemetry.add, identity.name)
  control.onEntries((entries) => mirrorEntries(entries, telemetry))
  control.onEntries((entries) => control.leads() && tracer.entries(entries))
  const supervisor = createSupervisor(log)
  const self = BigInt(`0x${identity.server}`)
  const link = openLeaderLink({
    ...{ self, openClient: peers.openClient, openSelf: doors.openSelf },
    leader: () => controlChain.role().leader,
  })
  const fleet = { control: controlChain, kv: store.chain, members: store.members, states: store.states, peers, self }
  const run = runOnLeader(control, link)
  const tokens = openTokens(control.db, paths.keys)
  await servers.host({ control: controlChain, kv: store.chain, members: store.members, run, position: control.tail })
  const own = openArtifacts(paths.artifacts)
  const pages = createPages({ pass: doors.pass, log })
  const dialBack = createDialBack()
  const agentPort = createAgentPort({
    authority,
    db: control.db,
    self: identity.server,
    run,
    pass: doors.pass,
    dialBack,
    paths,
    address: options.agents,
    log,
  })
  let etcd: string | null = null
  let { listen } = options
  const ownLeaf = keepOwnLeafDoor(paths, identity.server, log)
  const parts: ServerParts = {
    ...{ paths, log, control, store, scuba, telemetry, tracer, measures, meter, link, fleet, memberToken: servers.memberToken, dialBack },
    nodeToken: createNodeTokenAction({ authority, cluster: identity.cluster, run, position: control.tail, open: agentPort.open }),
    artifacts: { own, fleet: spreadArtifacts(own, () => otherVoters(controlChain, identity.server), link) },
    tokens,
    taskTokens: createTaskTokens(async () => (await authority.pair()).key),
    ownLeaf: ownLeaf.where,
    etcd: () => etcd,
    pages,
    status: (hub) =>
      describeStatus({
        paths,
        control,
        store,
        supervisor,
        hub,
        link,
        leaf,
        startedAt,
        listen,
        etcd,
        postgres: options.postgres,
        servers: () => fleetServers(fleet),
      }),
  }

  const postgres = await keepPostgresAccess({
    ...{ paths, db: control.db, onEntries: control.onEntries, address: options.postgres },
    makeCertificate: () => authority.tls(),
  })
  controlChain.onValue((value) => void ownLeaf.follow(value))
  await ownLeaf.follow(controlChain.value())
  await leaf.start()
  const turns = await takeTurns({
    ...{ doors, log, leads: control.leads, onLead: control.onLead },
    lead: () => lead(parts),
    following: followingHouse(parts, link),
  })
  tokens.takeOver(run, log)
  await doors.openSocket(paths.socket)
  if (options.listen) listen = await doors.openTcp(options.listen)
  if (options.etcd) etcd = await store.openPort(options.etcd)
  await agentPort.resume()
  const local = readLocalFleet(paths)
  for (const node of local?.nodes ?? []) {
    const agent = agentProcess(paths, local as NonNullable<typeof local>, node)
    mkdirSync(paths.agent(node.node).root, { recursive: true, mode: 0o700 })
    supervisor.keep(agent)
  }
  const file: ServerFile = {
    ...(identify(process.pid) as NonNullable<ReturnType<typeof identify>>),
    socket: paths.socket,
    listen,
    etcd,
    startedAt,
  }
  writeFileSync(paths.serverJson, `${JSON.stringify(file)}\n`, { mode: 0o600 })
  log.info('the server answers', { socket: paths.socket, listen, etcd, ms: Date.now() - startedAt })
  return { stop: () => stopServer() }

  async function stopServer(): Promise<void> {
    log.info('the server stops; agents and tasks go on')
    supervisor.detach()
    await pages.close()
    await agentPort.close()
    await doors.close()
    tokens.stop()
    postgres.stop()
    await turns.stop()
    link.close()
    measures.stop()
    await telemetry.stop()
    await leaf.detach()
    await control.close()
    await store.close()
    await servers.close()
    rmSync(paths.serverJson, { force: true })
    rmSync(paths.socket, { force: true })
    lock.release()
  }
}

/** Entries as rows, so that a query joins them with what else happened. */
function mirrorEntries(entries: readonly Entry[], telemetry: Telemetry): void {
  for (const entry of entries) {
    telemetry.add(LOG_TABLE, {
      time: entry.at,
      position: entry.position,
      type: entry.type,
      actor: entry.actor,
      service: entry.notable?.service ?? '',
      text: entry.notable?.text ?? '',
    })
  }
}

function otherVoters(log: VirtualLog, self: string): bigint[] {
  return presentServers(log.value()).flatMap(({ id, role }) => (id !== self && role === 'voter' ? [BigInt(`0x${id}`)] : []))
}

async function joinWith(token: string, { name, peers, isVoter }: ServerOptions, paths: StatePaths): Promise<void> {
  const address = peers ?? `127.0.0.1:${await freePort('127.0.0.1')}`
  await joinFleet({ token, name: name ?? (hostname() || 'server'), peersAddress: address, isVoter, paths })
}

const hostsOf = (peers: string | null): string[] => (peers === null ? [] : [peersAddress(peers).host])
