import { join } from 'node:path'
import type { ControlLog } from '../state/control-log.ts'
import type { ControlStore } from '../delos/control-store.ts'
import type { StatePaths } from '../../platform/paths.ts'
import type { ScubaLeaf } from '../scuba/process.ts'
import type { Supervisor } from '../../platform/supervisor.ts'
import type { FleetServer } from '../delos/membership/fleet-calls.ts'
import type { AgentHub } from '../tw/agents.ts'
import type { LeaderLink } from '../following/leader-link.ts'
import { askLeader } from '../following/ask-leader.ts'

export interface StatusSources {
  paths: StatePaths
  control: ControlLog
  store: ControlStore
  supervisor: Supervisor
  /** null: another server leads, which knows how the nodes are */
  hub: AgentHub | null
  link: LeaderLink
  servers: () => FleetServer[]
  leaf: ScubaLeaf
  startedAt: number
  listen: string | null
  etcd: string | null
  postgres: string | null
}

export interface NodeStatus {
  node: string
  region: string
  state: string
  pid: number | null
  restarts: number
  /** ms since the last beat, or null */
  beatAgeMs: number | null
  gateway: string | null
  tasks: number
  log: string
  proxyLog: string
}

export interface FleetStatus {
  context: string
  root: string
  server: {
    pid: number
    upMs: number
    socket: string
    listen: string | null
    /** where the key-value store answers etcd's clients */
    etcd: string | null
    /** where PostgreSQL's clients are answered */
    postgres: string | null
    log: string
    position: number
    kvPosition: number
  }
  /** all servers of the control plane; one of them leads */
  servers: FleetServer[]
  scuba: ReturnType<ScubaLeaf['status']>
  nodes: NodeStatus[]
  /** every node this server runs is ready and has a gateway */
  healthy: boolean
}

const LEADER_MS = 1000

/** The processes of the fleet, where they answer and where their logs are. */
export async function describeStatus(sources: StatusSources): Promise<FleetStatus> {
  const { paths, hub } = sources
  const processes = new Map(sources.supervisor.list().map((row) => [row.name, row]))
  const known = hub === null ? await nodesOfLeader(sources) : nodesHere(sources, hub)
  const nodes = known.map((node): NodeStatus => {
    const process = processes.get(`agent ${node.node}`)
    return process === undefined ? node : { ...node, ...placesOf(paths, node.node), pid: process.pid, restarts: process.restarts }
  })
  // A local agent that has not joined yet is part of the fleet too.
  for (const [name, process] of processes) {
    const node = /^agent (.+)$/.exec(name)?.[1]
    if (node === undefined || nodes.some((one) => one.node === node)) continue
    const unknown = { region: '', state: 'starting', beatAgeMs: null, gateway: null, tasks: 0 }
    nodes.push({ node, ...unknown, ...placesOf(paths, node), pid: process.pid, restarts: process.restarts })
  }
  return {
    context: paths.context,
    root: paths.root,
    server: {
      pid: process.pid,
      upMs: Date.now() - sources.startedAt,
      socket: paths.socket,
      listen: sources.listen,
      etcd: sources.etcd,
      postgres: sources.postgres,
      log: join(paths.logs, 'server.log'),
      position: sources.control.tail(),
      kvPosition: sources.store.log.tail(),
    },
    servers: sources.servers(),
    scuba: sources.leaf.status(),
    nodes,
    healthy: nodes
      .filter(({ node }) => processes.has(`agent ${node}`))
      .every(({ state, gateway }) => state === 'ready' && gateway !== null),
  }
}

function placesOf(paths: StatePaths, node: string): Pick<NodeStatus, 'log' | 'proxyLog'> {
  const { log, proxyLog } = paths.agent(node)
  return { log, proxyLog }
}

/** As they told the server that leads, which this is. */
function nodesHere({ paths, control }: StatusSources, hub: Pick<AgentHub, 'beats' | 'gateways'>): NodeStatus[] {
  const rows = control.db.all<{ node: string; region: string; state: string }>(
    'SELECT name AS node, region, state FROM tw_node ORDER BY length(name), name',
  )
  const counts = new Map(
    control.db
      .all<{ node: string; n: number }>("SELECT node, count(*) AS n FROM tw_task WHERE state = 'running' GROUP BY node")
      .map((row) => [row.node, row.n]),
  )
  return rows.map(({ node, region, state }): NodeStatus => {
    const beat = hub.beats.get(node)
    return {
      node,
      region,
      state: beat ? state : state === 'ready' ? 'silent' : state,
      pid: null,
      restarts: 0,
      beatAgeMs: beat ? Math.floor(beat.ageMs) : null,
      gateway: hub.gateways.get(node) ?? null,
      tasks: counts.get(node) ?? 0,
      ...placesOf(paths, node),
    }
  })
}

/** As the leader says; without one, as far as the state knows. */
async function nodesOfLeader(sources: StatusSources): Promise<NodeStatus[]> {
  const status = await askLeader<FleetStatus>(sources.link, '/v1/status', LEADER_MS)
  return status?.nodes ?? nodesHere(sources, { beats: new Map(), gateways: new Map() })
}
