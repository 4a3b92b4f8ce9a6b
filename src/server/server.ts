import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { controlSystems } from '../core/systems.ts'
import { livenessController } from '../core/tw/controllers/liveness.ts'
import { splitController } from '../core/tw/controllers/split-applied.ts'
import { assert } from '../core/kernel/assert.ts'
import type { MusterError } from '../core/kernel/errors.ts'
import { refuse } from '../core/kernel/errors.ts'
import { createApi, type Domain } from './api/api.ts'
import { artifactRoutes, openArtifacts } from './artifacts.ts'
import { wireChaos } from './chaos/wire.ts'
import { openControlLog } from './state/control-log.ts'
import { startControllers, type ControllerLoop } from './controllers.ts'
import { openControlStore } from './delos/control-store.ts'
import { noPeers, openFleetLog } from './delos/fleet-logs.ts'
import { createLogMeter } from './delos/log-meter.ts'
import { watchedStore } from './delos/store-watch.ts'
import { wireDelos } from './delos/wire.ts'
import { wireDeploy } from './deploy/wire.ts'
import { agentProcess, readLocalFleet } from './processes/fleet.ts'
import type { ServerHost, Wiring } from './host.ts'
import { createLogger } from '../platform/logger.ts'
import type { StatePaths } from '../platform/paths.ts'
import { identify } from '../platform/process.ts'
import { openTokens } from './api/roles.ts'
import { createScubaClient } from './scuba/client.ts'
import { ensureLeaf } from './scuba/process.ts'
import { createTelemetry } from './scuba/telemetry.ts'
import { wireScuba } from './scuba/wire.ts'
import { wireSev } from './sev/wire.ts'
import { holdIdentity } from './state/identity.ts'
import { lockState, prepareStateDir } from './state/state-dir.ts'
import { describeStatus } from './api/status.ts'
import { createSupervisor } from './processes/supervisor.ts'
import { createAgentHub } from './tw/agents.ts'
import { wireTw } from './tw/wire.ts'

export interface ServerOptions {
  /** `HOST:PORT` for a TCP listener with bearer tokens, or null */
  listen: string | null
  /** `HOST:PORT` where the key-value store answers etcd's clients, or null */
  etcd: string | null
  /** token of `delos member token`: this server comes to that cluster with an empty state directory; null: it is what its directory says */
  join: string | null
  /** of this server, for people; null: that of the machine */
  name: string | null
  /** of one that joins: a voter as soon as it has caught up, else a learner */
  isVoter: boolean
  /** `HOST:PORT` where other servers reach this one; null: what it was before, at first 127.0.0.1 and a free port */
  peers: string | null
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
  const identity = await holdIdentity(paths)
  const peers = noPeers(identity, log)
  const shared = { paths, identity, peers, logger: log, onFatal }
  const control = await openControlLog({
    openLog: (from) => openFleetLog('control', { ...shared, from, onSync: meter.onSync('control') }),
    ...{ dbFile: paths.stateDb, systems: controlSystems, clock: Date.now, log, onFatal },
  })
  const store = await openControlStore({ ...shared, onSync: meter.onSync('kv') })
  log.info('the state is at the end of the log', { position: control.tail(), ms: Date.now() - startedAt })

  const leaf = ensureLeaf(paths, log)
  const scuba = createScubaClient(paths.scubaSocket)
  const telemetry = createTelemetry(scuba, log)
  onLine = (row) => telemetry.add('muster_logs', { ...row, time: Date.now() })
  const supervisor = createSupervisor(log)
  let loop: ControllerLoop | null = null
  const host: ServerHost = {
    paths,
    log,
    db: control.db,
    position: control.tail,
    now: control.now,
    run: async (command, input, actor) => {
      const checked = command.input.parse(input)
      const { value } = await control.submit({ actor }, (db, at) => {
        const decision = command.decide(db, checked, { actor, role: 'admin', ...at })
        return decision instanceof Error ? decision : { entries: decision.entries, value: decision.reply }
      })
      return value as never
    },
    propose: async (actor, decide) => {
      const { entries } = await control.submit({ actor }, (db, { now }) => {
        const proposals = decide(db, now)
        return proposals instanceof Error ? proposals : { entries: proposals, value: () => undefined }
      })
      return entries
    },
    onEntries: control.onEntries,
    wake: (controller) => {
      assert(loop === null || loop.wake(controller), `there is no controller ${controller}`)
    },
    telemetry: telemetry.add,
  }
  const hub = createAgentHub(host, () => {
    host.wake(livenessController.name)
    host.wake(splitController.name)
  })
  const artifacts = openArtifacts(paths.artifacts)
  let etcd: string | null = null
  const wirings: Wiring[] = [
    wireTw(host, hub),
    wireScuba(host, scuba),
    wireSev(host),
    wireDeploy(host, scuba),
    wireChaos(host, hub, scuba),
    wireDelos({ host, control, store, etcd: () => etcd, meter }),
  ]
  const domains: Domain[] = [{ systems: controlSystems, control }]
  const tokens = openTokens(paths.keys)
  let listen = options.listen
  const status = (): Promise<unknown> => describeStatus({ paths, control, store, supervisor, hub, leaf, startedAt, listen, etcd })
  const apis: FastifyInstance[] = []
  const api = (isLocal: boolean): FastifyInstance => {
    const app = createApi(
      { domains, wirings, tokens, log, status, onOperation: (row) => telemetry.add('muster_requests', { time: Date.now(), ...row }) },
      isLocal,
    )
    artifactRoutes(app, artifacts)
    hub.routes(app)
    apis.push(app)
    return app
  }
  control.onEntries((entries) => {
    for (const entry of entries) {
      telemetry.add('muster_log_entries', {
        time: entry.at,
        position: entry.position,
        type: entry.type,
        actor: entry.actor,
        service: entry.notable?.service ?? '',
        text: entry.notable?.text ?? '',
      })
    }
  })

  await leaf.start()
  for (const wiring of wirings) await wiring.start?.()
  await listenLocal(api(true), paths.socket)
  if (options.listen) listen = await listenTcp(api(false), options.listen)
  if (options.etcd) etcd = await store.openPort(options.etcd)
  loop = startControllers(controlSystems, wirings, control, log, (row) => telemetry.add('muster_metrics', { ...row }))
  hub.start()
  const fleet = readLocalFleet(paths)
  for (const node of fleet?.nodes ?? []) {
    const agent = agentProcess(paths, fleet as NonNullable<typeof fleet>, node)
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
    await loop?.stop()
    hub.stop()
    for (const app of apis) await app.close()
    for (const wiring of wirings) await wiring.stop?.()
    await telemetry.stop()
    await leaf.detach()
    await control.close()
    await store.close()
    await peers.close()
    rmSync(paths.serverJson, { force: true })
    rmSync(paths.socket, { force: true })
    lock.release()
  }
}

/** The socket of a killed server is in the way; the lock says that nobody uses it. */
async function listenLocal(app: FastifyInstance, socket: string): Promise<void> {
  if (existsSync(socket)) rmSync(socket)
  await app.listen({ path: socket })
  chmodSync(socket, 0o600)
}

/** Gives the address it really has: port 0 asks for a free one. */
async function listenTcp(app: FastifyInstance, address: string): Promise<string> {
  const match = /^(.+):(\d+)$/.exec(address)
  if (!match) throw refuse('USAGE', `--listen wants HOST:PORT, not "${address}"`)
  try {
    return new URL(await app.listen({ host: match[1] as string, port: Number(match[2]) })).host
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') throw refuse('PORT_TAKEN', `${address} is in use`, { cause: error })
    throw error
  }
}
