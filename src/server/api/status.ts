import { join } from 'node:path'
import type { ControlLog } from '../state/control-log.ts'
import type { ControlStore } from '../delos/control-store.ts'
import type { StatePaths } from '../../platform/paths.ts'
import type { ScubaLeaf } from '../scuba/process.ts'
import type { Supervisor } from '../processes/supervisor.ts'
import type { AgentHub } from '../tw/agents.ts'

export interface StatusSources {
  paths: StatePaths
  control: ControlLog
  store: ControlStore
  supervisor: Supervisor
  hub: AgentHub
  leaf: ScubaLeaf
  startedAt: number
  listen: string | null
  etcd: string | null
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
    log: string
    position: number
    kvPosition: number
  }
  scuba: { pid: number | null; socket: string; log: string }
  nodes: NodeStatus[]
  /** every node this server runs is ready and has a gateway */
  healthy: boolean
}

/** The processes of the fleet, where they answer and where their logs are. */
export async function describeStatus(sources: StatusSources): Promise<FleetStatus> {
  const { paths, control, hub } = sources
  const processes = new Map(sources.supervisor.list().map((row) => [row.name, row]))
  const rows = control.db.all<{ node: string; region: string; state: string }>(
    'SELECT name AS node, region, state FROM tw_node ORDER BY length(name), name',
  )
  const counts = new Map(
    control.db
      .all<{ node: string; n: number }>("SELECT node, count(*) AS n FROM tw_task WHERE state = 'running' GROUP BY node")
      .map((row) => [row.node, row.n]),
  )
  const known = new Set(rows.map((row) => row.node))
  // A local agent that has not joined yet is part of the fleet too.
  for (const name of processes.keys()) {
    const node = /^agent (.+)$/.exec(name)?.[1]
    if (node && !known.has(node)) rows.push({ node, region: '', state: 'starting' })
  }
  const nodes = rows.map(({ node, region, state }): NodeStatus => {
    const beat = hub.beats.get(node)
    const process = processes.get(`agent ${node}`)
    return {
      node,
      region,
      state: beat ? state : state === 'ready' ? 'silent' : state,
      pid: process?.pid ?? null,
      restarts: process?.restarts ?? 0,
      beatAgeMs: beat ? control.now() - beat.at : null,
      gateway: hub.gateways.get(node) ?? null,
      tasks: counts.get(node) ?? 0,
      log: paths.agent(node).log,
      proxyLog: paths.agent(node).proxyLog,
    }
  })
  return {
    context: paths.context,
    root: paths.root,
    server: {
      pid: process.pid,
      upMs: Date.now() - sources.startedAt,
      socket: paths.socket,
      listen: sources.listen,
      etcd: sources.etcd,
      log: join(paths.logs, 'server.log'),
      position: control.tail(),
      kvPosition: sources.store.log.tail(),
    },
    scuba: sources.leaf.status(),
    nodes,
    healthy: nodes
      .filter(({ node }) => processes.has(`agent ${node}`))
      .every(({ state, gateway }) => state === 'ready' && gateway !== null),
  }
}
