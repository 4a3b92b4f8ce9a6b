import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { arch, release } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DesiredTask, NodeLook, NodeOrders, NodeReport } from '../core/contracts/node.ts'
import { FOLDER_ATTRIBUTE, VERSION_ATTRIBUTE } from '../core/tw/queries.ts'
import { refuse } from '../core/kernel/errors.ts'
import { createLogger } from '../platform/logger.ts'
import { statePaths } from '../platform/paths.ts'
import { ArtifactStore } from './artifacts.ts'
import { hashOfReport } from './beat-writer.ts'
import { claimNode } from './claim.ts'
import { serveControl } from './control.ts'
import { cgroupParent, findCgroups } from './exec/cgroups.ts'
import { canUseNamespaces } from './exec/isolation.ts'
import { FaultEngine } from './faults/engine.ts'
import { Journal } from './journal.ts'
import { chooseInstallation, confirmInstallation, ownFolder } from './installation.ts'
import { Contact } from './contact.ts'
import { ConditionWatch } from './conditions.ts'
import { agentFiles, joinedServers, keepServers, renewIfDue } from './join.ts'
import { ServerLink, type Told } from './link.ts'
import { LogKeeper } from './log-keeper.ts'
import { MeshLink } from './mesh-link.ts'
import { Obeyed } from './obeyed.ts'
import type { AgentOptions } from './options.ts'
import { PortBlocks } from './ports.ts'
import { ProfileKeeper } from './profile-keeper.ts'
import { ownVersion } from '../platform/own-version.ts'
import { bootId, identify } from '../platform/process.ts'
import { isReached, openReach } from './reach.ts'
import { openRelayPort } from './relay-port.ts'
import { localWay, remoteWay, type ServerWay } from './server-way.ts'
import { Supervisor } from './supervisor.ts'
import type { TaskHost } from './task.ts'
import { LeafKeeper } from './scuba/leaf-keeper.ts'
import { openTaskApi } from './task-api.ts'
import { UsageWatch } from './usage.ts'

const LOGS_EVERY_MS = 250
const FENCE_EVERY_MS = 250
const USAGE_EVERY_MS = 1000
const ANSWER_MS = 50
const CONDITIONS_EVERY_MS = 5000
const PROFILE_EVERY_MS = 600_000
const RENEW_LOOK_MS = 3_600_000
/** Longest wait for the first probes of adopted tasks before the server is told of them. */
const ADOPTED_MS_MAX = 1500

export interface RunningAgent {
  /** Ends the agent and leaves tasks and proxy running: the next agent of this node adopts them. */
  detach: () => void
  /** Writes a bug into the agent's log. */
  failed: (error: unknown) => void
}

/**
 * Puts the parts of a node agent together and starts them. Tasks are adopted before the server is asked for anything, so
 * a server that is away changes nothing for them.
 * @throws MusterError TW_NODE_CLAIMED when another agent of this node lives
 */
export async function startAgent(options: AgentOptions & { onUpgrade: () => void }): Promise<RunningAgent> {
  const state = statePaths('agent', { ...process.env, MUSTER_STATE_DIR: options.stateDir })
  const paths = state.agent(options.node)
  mkdirSync(paths.root, { recursive: true, mode: 0o700 })
  // Tasks that run as another user pass through here to their work folder; the folders in it keep to themselves.
  if (process.getuid?.() === 0) chmodSync(paths.root, 0o711)
  await claimNode(options.node, paths.root)
  const log = createLogger(paths.log)
  /** Trouble with one thing (a full disk, a bug in the handling of one task) must not end the supervision of all others. */
  const guard = (what: string, work: () => void): void => {
    try {
      work()
    } catch (error) {
      log.error(`${what} failed`, { error: error instanceof Error ? error.stack : String(error) })
    }
  }
  const changed = (): void => link.reportSoon()
  const mesh = new MeshLink(
    { node: options.node, region: options.region, paths, eventsSocket: options.scubaSocket, wantedGatewayPort: options.gatewayPort },
    log,
    changed,
  )
  const ports = new PortBlocks(join(paths.root, 'ports.json'), options.address)
  const keys = agentFiles(state, options.node)
  const way = wayTo(options, keys)
  const leaf = new LeafKeeper({
    ...{ root: paths.root, socket: paths.leafSocket, address: options.address, log },
    keyFile: options.serverSocket === null ? keys.pem : null,
    serverKeyFile: join(state.keys, 'server.pem'),
  })
  const artifacts = new ArtifactStore(join(paths.root, 'artifacts'), way)
  const host: TaskHost = {
    node: options.node,
    region: options.region,
    address: options.address,
    tasks: paths.tasks,
    keys: state.keys,
    log,
    journal: new Journal(paths.journal),
    ports,
    artifacts,
    cgroups: process.getuid?.() === 0 ? findCgroups() : null,
    cgroupParent: cgroupParent(options.stateDir, options.node),
    servicePorts: () => mesh.servicePorts(),
    gateway: () => mesh.gateway,
    changed,
  }
  const supervisor = new Supervisor(host)
  const contact = new Contact(join(paths.root, 'contact.json'), bootId())
  const instance = identify(process.pid)?.startTime ?? 0
  let seq = 0
  let position = 0
  const identity = {
    node: options.node,
    bootId: bootId(),
    pid: process.pid,
    region: options.region,
    zone: options.zone,
    rack: options.rack,
    address: options.address,
    cpuMilli: options.cpuMilli,
    memoryBytes: options.memoryBytes,
    diskBytes: options.diskBytes,
    gpus: options.gpus,
    attributes: {
      os: 'linux',
      arch: arch(),
      kernel: release(),
      isolation: canUseNamespaces() ? 'namespaces' : 'plain',
      [VERSION_ATTRIBUTE]: ownVersion(),
      [FOLDER_ATTRIBUTE]: ownFolder(),
      ...options.attributes,
    },
  }
  const report = (): NodeReport => {
    const said = {
      identity,
      instance,
      position,
      meshPosition: mesh.position,
      gateway: mesh.gateway,
      tasks: supervisor.reports(),
      faults: faults.reports(),
      reach: reach.address,
      relay: relay?.address ?? null,
      conditions: conditions.found,
      profile: profile.found,
    }
    return { ...said, seq: (seq += 1), hash: hashOfReport(said) }
  }
  const conditions = new ConditionWatch(paths.root)
  guard('looking at the machine', () => void conditions.look())
  // What stands for `/` in it is for trying profiles out without touching the machine.
  const profile = new ProfileKeeper(join(paths.root, 'profile.json'), process.env['MUSTER_KERNEL_ROOT'] ?? '/')
  guard('the limits of the profile', () => {
    const failed = profile.resume()
    if (failed !== '') log.warn('not all limits of the profile were set', { failed })
  })
  guard('looking at the profile', () => profile.look())
  const reach = await openReach(options.node, options.address)
  const relay = options.serverSocket === null ? await openRelayPort(options.address, keys.pem) : null
  /** what peers were found to be, and the server was not told yet */
  const looks: NonNullable<NodeReport['looks']> = []
  let isStopping = false
  const obeyed = new Obeyed(join(paths.root, 'obeyed.json'))
  const receive = (message: Told): void => {
    if (isStopping) return
    if (message.kind === 'ping') {
      conditions.hearTime(message.at)
      return faults.renew(message)
    }
    if (message.kind === 'look') return void lookAt(message)
    if (message.kind === 'dial') return void comeBack(message.ticket)
    follow(message)
  }
  const follow = (message: NodeOrders): void => {
    const { reign } = message
    if (reign !== undefined && !obeyed.allows(reign, message.position))
      return link.leave('its orders are those of a leader that was replaced')
    if (reign !== undefined) guard('noting whose orders are obeyed', () => obeyed.note(reign, message.position))
    position = message.position
    confirmInstallation(paths.root)
    guard('tasks of the orders', () => supervisor.apply({ ...message, tasks: message.tasks.map(withApi) }))
    guard('servers of the orders', () => {
      const servers = options.serverSocket === null && message.servers !== undefined ? keepServers(keys, message.servers) : null
      if (servers !== null) way.learn(servers)
    })
    guard('faults of the orders', () => faults.apply(message.faults))
    mesh.configure(message.mesh)
  }
  /** A task asks on this machine, wherever the server is. */
  const withApi = (task: DesiredTask): DesiredTask =>
    task.access === undefined ? task : { ...task, access: { ...task.access, api: `unix:${paths.apiSocket}` } }
  const lookAt = async ({ node, address }: NodeLook): Promise<void> => {
    looks.push({ node, isReached: await isReached(node, address) })
    link.reportSoon()
  }
  const comeBack = async (ticket: string): Promise<void> => {
    try {
      const socket = await way.dial?.(ticket)
      if (socket !== undefined) control.emit('connection', socket)
    } catch (error) {
      log.warn('the server could not ask', { error: String(error) })
    }
  }
  const link = new ServerLink({
    way,
    node: options.node,
    life: { bootId: bootId(), instance },
    log,
    receive,
    report: () => ({ ...report(), looks: looks.splice(0) }),
    relaying: relay === null ? null : { port: relay, keyFile: keys.pem },
    isFenced: () => supervisor.isFenced,
    answered: (sentAtMs) => guard('noting that a server heard us', () => contact.heard(sentAtMs)),
    beat: () => {
      const { seq: number, hash = 0 } = report()
      return { seq: number, hash }
    },
  })
  const faults = new FaultEngine({
    root: paths.faults,
    haltFile: join(paths.root, 'HALT'),
    target: (id, incarnation) => {
      const task = supervisor.find(String(id))
      return task?.desired.incarnation === incarnation ? task.process : null
    },
    log,
    changed,
  })
  const control: Server = await serveControl({
    socket: paths.socket,
    tasks: paths.tasks,
    runs: join(paths.tasks, '..', 'runs'),
    supervisor,
    status: () => ({ ...report(), server: link.isConnected, lastAnswerAt: link.lastAnswerAt, log: paths.log, isHalted: faults.isHalted }),
    upgrade: (wish) => {
      if (!chooseInstallation(paths.root, wish)) return false
      log.info('agent ends to be started from another installation', wish)
      // The answer goes out first. Whoever keeps us running starts the next one.
      setTimeout(() => options.onUpgrade(), ANSWER_MS)
      return true
    },
    putProfile: (asked) => {
      const answer = profile.put(asked)
      changed()
      return answer
    },
    joinLeaf: (serverHost) => leaf.join(serverHost),
    leaveLeaf: () => leaf.leave(),
    stopAll: async () => {
      isStopping = true
      await leaf.stop()
      await faults.stop()
      const stopped = await supervisor.stopAll()
      await mesh.stop().catch((error: unknown) => log.warn('proxy not stopped', { error: String(error) }))
      return { stopped }
    },
  })
  guard('agent.json', () => {
    const about = { ...identify(process.pid), node: options.node, log: paths.log, socket: paths.socket }
    writeFileSync(join(paths.root, 'agent.json'), `${JSON.stringify(about)}\n`, { mode: 0o600 })
  })
  const taskApi = await openTaskApi(paths.apiSocket, way)
  guard('the leaf of this node', () => leaf.start())
  await faults.start()
  await ports.open()
  // A report of tasks that were not probed yet would take them out of service until the next one.
  const adopted = supervisor.adopt()
  const keeper = new LogKeeper(options.logMaxBytes)
  const logs = setInterval(() => {
    const now = Date.now()
    for (const task of supervisor.tasks()) {
      for (const file of [task.folder.out, task.folder.err])
        keeper.look(file, now).catch((error: unknown) => log.warn('log not trimmed', { file, error: String(error) }))
    }
    guard('collecting old folders', () => supervisor.collect(now))
  }, LOGS_EVERY_MS)
  const fence = setInterval(() => guard('ending tasks that are cut off', () => supervisor.endCutOff(contact.silentMs)), FENCE_EVERY_MS)
  const usage = new UsageWatch()
  const measuring = setInterval(() => guard('measuring', () => usage.sample(supervisor.tasks())), USAGE_EVERY_MS)
  const looking = setInterval(() => guard('looking at the machine', () => conditions.look() && changed()), CONDITIONS_EVERY_MS)
  const comparing = setInterval(() => guard('looking at the profile', () => profile.look()), PROFILE_EVERY_MS)
  const renewing = setInterval(() => {
    if (options.serverSocket !== null) return
    renewIfDue(keys, options.node, way, Date.now()).then(
      (isNew) => {
        if (!isNew) return
        relay?.renew()
        log.info('certificate renewed')
      },
      (error: unknown) => log.error('certificate not renewed; it is tried again each hour', { error: String(error) }),
    )
  }, RENEW_LOOK_MS)
  void mesh.start()
  await Promise.race([adopted, sleep(ADOPTED_MS_MAX)])
  link.start()
  log.info('agent started', { node: options.node, pid: process.pid })
  return {
    failed: (error) => log.error('agent failed', { error: error instanceof Error ? error.stack : String(error) }),
    detach: () => {
      clearInterval(logs)
      clearInterval(fence)
      clearInterval(measuring)
      clearInterval(renewing)
      clearInterval(looking)
      clearInterval(comparing)
      link.stop()
      reach.close()
      relay?.close()
      taskApi.close()
      leaf.detach()
      mesh.detach()
      control.close()
      control.closeAllConnections()
      log.info('agent detached', { node: options.node })
    },
  }
}

function wayTo(options: AgentOptions, keys: ReturnType<typeof agentFiles>): ServerWay {
  if (options.serverSocket !== null) return localWay(options.serverSocket)
  const servers = joinedServers(keys)
  if (servers === null || servers.length === 0)
    throw refuse('USAGE', `node ${options.node} has joined no fleet`, { hint: 'Start it with `muster agent --token TOKEN`.' })
  return remoteWay(servers, keys.pem)
}
