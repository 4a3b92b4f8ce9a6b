import type { System } from '../../src/core/contracts/controller.ts'
import type { DesiredTask, Gpus, NodeIdentity, NodeReport, TaskHealth, TaskReport } from '../../src/core/contracts/node.ts'
import { nodeJoin, tasksReport } from '../../src/core/tw/operations.ts'
import { desiredTasks, isJoined, reportChanges, type NodeBeat } from '../../src/core/tw/queries.ts'
import { twSystem } from '../../src/core/tw/system.ts'
import { newState, type TestState } from './state.ts'

/** The document of a job with one service, eight tasks and a readiness check. */
export const WEB = {
  job: 'web',
  groups: {
    api: {
      count: 8,
      network: { ports: { http: null } },
      services: { web: { port: 'http' } },
      main: { command: ['./serve'], health: { readiness: { http: '/', port: 'http', interval: '1s' } } },
    },
  },
}

/** A fleet of agents in memory: they start what they are told, become healthy after a while, and report. */
export interface SimulatedFleet {
  state: TestState
  nodes: Map<string, SimulatedNode>
  /** Lets everything happen for so long, in steps; `each` looks at the state after each of them. */
  pass: (ms: number, each?: () => void) => void
  /** what versions do: default healthy after `startMs` */
  behaviour: (task: DesiredTask) => Behaviour
}

export interface SimulatedNode {
  identity: NodeIdentity
  isSilent: boolean
  processes: Map<number, SimulatedProcess>
}

export interface SimulatedProcess {
  desired: DesiredTask
  startedAt: number
  stopAt: number | null
  report: TaskReport
}

export type Behaviour = { startMs: number; stopMs: number; end?: { afterMs: number; state: 'failed' | 'complete'; reason: string } }

export interface FleetShape {
  nodes: number
  regions?: number
  cpuMilli?: number
  memoryBytes?: number
  diskBytes?: number
  /** of each node */
  gpus?: Gpus[]
  behaviour?: (task: DesiredTask) => Behaviour
  /** more systems beside tw, before it or after it; all their controllers run */
  systems?: readonly System[]
  /** soft views of controllers that are not tw's */
  softOf?: (controller: string) => unknown
}

const STEP_MS = 250
const MIB = 1_048_576

export function newSimulatedFleet(shape: FleetShape): SimulatedFleet {
  const systems = shape.systems ?? [twSystem]
  const state = newState(systems)
  const nodes = new Map<string, SimulatedNode>()
  for (let i = 1; i <= shape.nodes; i += 1) {
    const region = `r${((i - 1) % (shape.regions ?? 2)) + 1}`
    const identity: NodeIdentity = {
      node: `n${i}`,
      bootId: `boot-${i}`,
      pid: 1000 + i,
      region,
      zone: `${region}-a`,
      rack: `${region}-a-1`,
      address: `10.0.0.${i}`,
      cpuMilli: shape.cpuMilli ?? 2000,
      memoryBytes: shape.memoryBytes ?? 2048 * MIB,
      ...(shape.diskBytes === undefined ? {} : { diskBytes: shape.diskBytes }),
      ...(shape.gpus === undefined ? {} : { gpus: shape.gpus }),
      attributes: { arch: i % 2 === 0 ? 'arm64' : 'amd64' },
    }
    nodes.set(identity.node, { identity, isSilent: false, processes: new Map() })
  }
  const beats = new Map<string, NodeBeat>()
  /** of beats: a step of the log's time is none of it */
  let clock = 0
  const heard = (node: SimulatedNode, meshPosition: number): void => {
    const at = clock
    const { node: name, bootId } = node.identity
    beats.set(name, {
      get ageMs() {
        return clock - at
      },
      ...{ bootId, meshPosition, connected: true },
    })
  }
  const followed = new Map<string, number>()
  let settledAt = -1
  let wakeAt: number | null = null
  const fleet: SimulatedFleet = {
    state,
    nodes,
    behaviour: shape.behaviour ?? (() => ({ startMs: 500, stopMs: 500 })),
    pass: (ms, each) => {
      for (let t = 0; t < ms; t += STEP_MS) {
        state.advance(STEP_MS)
        clock += STEP_MS
        for (const node of nodes.values()) tick(node)
        // As the server does: after entries, at the time asked for, and now and then because the beats are soft.
        if (state.entries.length !== settledAt || (wakeAt !== null && state.now() >= wakeAt) || t % 1000 === 0) {
          wakeAt = state.settle(
            systems.flatMap((system) => system.controllers),
            (name) => (name.startsWith('tw.') ? { beats } : shape.softOf?.(name)),
          )
          settledAt = state.entries.length
        }
        each?.()
      }
    },
  }

  const tick = (node: SimulatedNode): void => {
    const now = state.now()
    const name = node.identity.node
    if (!node.isSilent) {
      if (!isJoined(state.db, node.identity)) state.run(nodeJoin, { identity: node.identity }, `agent:${name}`)
      const orders = state.entries.length
      if (followed.get(name) !== orders) follow(node, desiredTasks(state.db, name), now, fleet.behaviour)
      followed.set(name, orders)
    }
    for (const process of node.processes.values()) live(process, now, fleet.behaviour(process.desired))
    if (node.isSilent) return
    const position = state.entries.length
    heard(node, position)
    const report: NodeReport = {
      identity: node.identity,
      instance: 1,
      seq: 0,
      position,
      meshPosition: position,
      gateway: null,
      tasks: [...node.processes.values()].map((process) => ({ ...process.report })),
      faults: [],
    }
    const tasks = reportChanges(state.db, report)
    if (tasks.length > 0) state.run(tasksReport, { node: name, bootId: node.identity.bootId, tasks }, `agent:${name}`)
  }
  return fleet
}

/** What an agent does with its orders. */
function follow(node: SimulatedNode, tasks: readonly DesiredTask[], now: number, behaviour: (task: DesiredTask) => Behaviour): void {
  const wanted = new Map(tasks.map((task) => [task.id, task]))
  for (const [id, process] of node.processes) if (!wanted.has(id) && process.report.pid === null) node.processes.delete(id)
  for (const task of tasks) {
    const process = node.processes.get(task.id)
    if (task.want === 'stop') {
      if (process && process.stopAt === null) process.stopAt = now + behaviour(task).stopMs
    } else if (!process || process.desired.incarnation < task.incarnation) {
      node.processes.set(task.id, { desired: task, startedAt: now, stopAt: null, report: reportOf(task, now) })
    }
  }
  for (const [id, process] of node.processes) if (!wanted.has(id) && process.stopAt === null) process.stopAt = now
}

function reportOf(task: DesiredTask, now: number): TaskReport {
  const ports = Object.fromEntries(Object.entries(task.spec.ports).map(([name, port]) => [name, port || 20_000 + task.id]))
  return {
    id: task.id,
    task: task.task,
    incarnation: task.incarnation,
    state: 'running',
    health: 'starting',
    pid: 5000 + task.id,
    ports,
    reason: '',
    restarts: 0,
    startedAt: now,
  }
}

/** Time passes for one process. */
function live(process: SimulatedProcess, now: number, behaviour: Behaviour): void {
  const { report } = process
  if (report.pid === null) return
  if (process.stopAt !== null && now >= process.stopAt) {
    Object.assign(report, { state: 'stopped', pid: null, health: 'none' })
  } else if (behaviour.end && now >= process.startedAt + behaviour.end.afterMs) {
    Object.assign(report, { state: behaviour.end.state, reason: behaviour.end.reason, pid: null, health: 'none' })
  } else {
    const healthy: TaskHealth = process.desired.spec.readiness === null ? 'none' : 'healthy'
    report.health = now >= process.startedAt + behaviour.startMs ? healthy : 'starting'
  }
}
