import { randomUUID } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { livenessController } from '../core/tw/controllers/liveness.ts'
import { splitController } from '../core/tw/controllers/split-applied.ts'
import { presentServers } from '../core/delos/virtual-log/value.ts'
import { ConfigReaders } from '../core/delos/queries.ts'
import { controlSystems } from '../core/systems.ts'
import { assert } from '../core/kernel/assert.ts'
import { isRefusal, type MusterError, refuse } from '../core/kernel/errors.ts'
import type { StatePaths } from '../platform/paths.ts'
import type { Logger } from '../platform/logger.ts'
import { createApi, type ApiOptions } from './api/api.ts'
import type { Door, House } from './api/doors.ts'
import type { TokenStore } from './api/roles.ts'
import { artifactRoutes, type ArtifactStore } from './artifacts.ts'
import { wireChaos } from './chaos/wire.ts'
import { startControllers, type ControllerLoop } from './controllers.ts'
import type { FleetCallsOptions } from './delos/membership/fleet-calls.ts'
import type { ControlStore } from './delos/control-store.ts'
import type { LogMeter } from './delos/log-meter.ts'
import { wireDelos, type DelosParts } from './delos/wire.ts'
import { wireDeploy } from './deploy/wire.ts'
import { HERE, hereRoutes } from './following/here.ts'
import { askBack, TICKET_HEADER, type DialBack } from './tw/dial-back.ts'
import type { LeaderLink } from './following/leader-link.ts'
import { CALLER_HEADER } from './following/pass-on.ts'
import { runOnLeader } from './following/run-on-leader.ts'
import type { ServerHost, Wiring } from './host.ts'
import type { ScubaClient } from './scuba/client.ts'
import { serversOfLeaves, type OwnLeaf } from './scuba/own-leaf.ts'
import type { Telemetry } from './scuba/telemetry.ts'
import type { Tracer } from './tracer.ts'
import { expositionText } from './metrics/exposition.ts'
import type { Measures } from './metrics/measures.ts'
import { wireScuba } from './scuba/wire.ts'
import { wireSev } from './sev/wire.ts'
import type { ControlLog } from './state/control-log.ts'
import type { Pages } from './web/pages.ts'
import { createAgentHub, type AgentHub } from './tw/agents.ts'
import type { TaskTokens } from './tw/task-tokens.ts'
import { relaysFrom } from './tw/relays.ts'
import { wireTw } from './tw/wire.ts'

/** What every server of a fleet has, whether it leads or not. */
export interface ServerParts {
  paths: StatePaths
  log: Logger
  control: ControlLog
  store: ControlStore
  scuba: ScubaClient
  telemetry: Telemetry
  tracer: Tracer
  measures: Measures
  /** kept here, and those of the whole fleet */
  artifacts: { own: ArtifactStore; fleet: ArtifactStore }
  link: LeaderLink
  /** its servers, and the logs they have */
  fleet: FleetCallsOptions
  /** where the others reach the leaf of this server; null: nowhere */
  ownLeaf: () => OwnLeaf | null
  /** lets other servers come in */
  memberToken: NonNullable<DelosParts['memberToken']>
  /** of tasks whose application asks for itself */
  taskTokens: TaskTokens
  /** lets agents of other machines come in */
  nodeToken: NonNullable<DelosParts['memberToken']>
  /** connections of agents that were asked to come */
  dialBack: DialBack
  tokens: TokenStore
  meter: LogMeter
  /** where etcd's clients are answered, or null */
  etcd: () => string | null
  status: (hub: AgentHub | null) => Promise<unknown>
  /** its browser pages */
  pages: Pages
}

/** What only the server that leads does: it decides, tells the agents, and answers. */
export interface Leading {
  hub: AgentHub
  house: House
  /** Opened once its house answers. */
  start: () => void
  stop: () => Promise<void>
}

/** Takes the lead. Everything in it is made anew each time, since what is known softly is of one reign. */
export async function lead(parts: ServerParts): Promise<Leading> {
  const { control, log, scuba, telemetry, tracer, store, meter, etcd, artifacts, fleet } = parts
  let loop: ControllerLoop | null = null
  const host = hostOf(
    parts,
    (controller) => {
      assert(loop === null || loop.wake(controller), `there is no controller ${controller}`)
    },
    {
      serverOf: (node) => hub.servers.get(node) ?? null,
      ticketFor: (node) => {
        if (!hub.isRemote(node)) return null
        const ticket = randomUUID()
        return hub.dial(node, ticket) ? ticket : refuse('UNAVAILABLE', `the agent of ${node} is not connected`)
      },
    },
  )
  const hub = createAgentHub(
    host,
    parts.taskTokens,
    () => {
      host.wake(livenessController.name)
      host.wake(splitController.name)
    },
    () => {
      const { isLeader, term } = fleet.control.role()
      return isLeader ? { cluster: fleet.control.value().clusterId, term } : null
    },
    (server) => presentServers(fleet.control.value()).some(({ id }) => id === server),
    relaysFrom(process.env),
  )
  const readers = new ConfigReaders()
  const wirings: Wiring[] = [
    wireTw(host, hub, parts.nodeToken),
    wireScuba(host, scuba),
    wireSev(host),
    wireDeploy(host, scuba, readers),
    wireChaos(host, hub, scuba),
    wireDelos({ host, control, store, etcd, meter, fleet, readers, memberToken: parts.memberToken }),
  ]
  const options = { ...apiParts(parts), wirings, link: null, status: () => parts.status(hub) }
  const apiAt = (door: Door): FastifyInstance => {
    const app = createApi(options, door)
    artifactRoutes(app, artifacts.fleet)
    if (door === 'server') hereRoutes(app, { ...parts, artifacts: artifacts.own })
    hub.routes(app)
    return app
  }
  const house = { socket: apiAt('socket'), tcp: apiAt('tcp'), server: apiAt('server') }
  const started: Wiring[] = []
  try {
    for (const wiring of wirings) {
      await wiring.start?.()
      started.push(wiring)
    }
  } catch (error) {
    // The lead was gone before it was taken: what was begun for it must not go on beside the next reign.
    for (const app of Object.values(house)) await app.close()
    for (const wiring of started) await wiring.stop?.()
    throw error
  }
  return {
    hub,
    house,
    start: () => {
      loop = startControllers(
        controlSystems,
        wirings,
        control,
        log,
        (row) => {
          parts.measures.work(row)
          telemetry.add('muster_metrics', { ...row })
        },
        tracer,
      )
      hub.start()
    },
    stop: async () => {
      await loop?.stop()
      hub.stop()
      for (const app of Object.values(house)) await app.close()
      for (const wiring of wirings) await wiring.stop?.()
    },
  }
}

/** What an API needs, whoever leads. */
export function apiParts({ control, tokens, taskTokens, log, telemetry, tracer, measures, scuba, pages }: ServerParts) {
  return {
    domains: [{ systems: controlSystems, control }],
    tokens: { find: (token: string) => taskTokens.find(token) ?? tokens.find(token) },
    log,
    tracer,
    openPage: pages.open,
    onOperation: (row: Parameters<ApiOptions['onOperation']>[0]): void => {
      measures.operation(row)
      telemetry.add('muster_requests', { time: Date.now(), ...row })
    },
    metrics: async () => {
      const [tables, leaf] = await Promise.all([scuba.tables().catch(() => null), scuba.health().catch(() => null)])
      return expositionText({
        ...{ measures, db: control.db, position: control.tail(), isLeading: control.leads(), telemetry: telemetry.stats(), tables },
        byCopy: leaf?.byCopy ?? { asked: 0, answered: 0 },
      })
    },
  }
}

/** How an agent is reached. */
interface AgentWay {
  /** the server it talks to; null: this one */
  serverOf: (node: string) => bigint | null
  /** Of an agent of another machine: with which ticket it comes, now that it is told to, or why it cannot be. Null: it is beside its server. */
  ticketFor: (node: string) => string | MusterError | null
}

function hostOf(
  { paths, log, control, telemetry, link, dialBack, fleet, ownLeaf }: ServerParts,
  wake: (controller: string) => void,
  { serverOf, ticketFor }: AgentWay,
): ServerHost {
  return {
    paths,
    log,
    db: control.db,
    position: control.tail,
    now: control.now,
    run: runOnLeader(control, link),
    propose: async (actor, decide) => {
      const { entries } = await control.submit({ actor }, (db, { now }) => {
        const proposals = decide(db, now)
        return proposals instanceof Error ? proposals : { entries: proposals, value: () => undefined }
      })
      return entries
    },
    onEntries: control.onEntries,
    wake,
    askAgent: (node, options, answer) => {
      const server = serverOf(node)
      const ticket = ticketFor(node)
      if (isRefusal(ticket)) throw ticket
      if (server === null && ticket !== null) return askBack(dialBack, ticket, options, answer)
      if (server === null) return httpRequest({ socketPath: paths.agent(node).socket, ...options }, answer)
      const path = `${HERE}/agents/${encodeURIComponent(node)}${options.path}`
      const headers = { [CALLER_HEADER]: 'operator server', ...(ticket === null ? {} : { [TICKET_HEADER]: ticket }) }
      return link.request(server, { ...options, path, headers }, answer)
    },
    servers: serversOfLeaves({ fleet, link, ownLeaf, serverOf }),
    telemetry: telemetry.add,
  }
}
