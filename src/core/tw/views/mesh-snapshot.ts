import type { MeshEndpoint, MeshFault, MeshPolicy, MeshService, MeshSnapshot, MeshSplit } from '../../contracts/mesh.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import {
  fromJson,
  isReady,
  nodeRow,
  taskName,
  type MeshFaultRow,
  type MeshServiceRow,
  type MeshSplitRow,
  type NodeRow,
  type TaskRow,
} from '../rows.ts'
import { liveTasks } from '../tasks/read.ts'

/** what holds where a job file says nothing */
export const MESH_POLICY: MeshPolicy = {
  requestTimeoutMs: 15_000,
  tryTimeoutMs: 5000,
  connectTimeoutMs: 1000,
  retriesMax: 2,
  retryBudget: 200_000,
  runningMax: 1024,
  ejectedMax: 340_000,
}

/** Everything the proxies work from, derived from the state as it is at a log position. */
export function meshSnapshot(db: ReadDb, position = 0): MeshSnapshot {
  const services = db.all<MeshServiceRow>('SELECT * FROM tw_mesh_service ORDER BY name')
  return { position, services: services.map((row) => meshService(db, row)) }
}

/** One service as its proxies see it. */
export function meshService(db: ReadDb, row: MeshServiceRow): MeshService {
  const { endpoints } = endpointsOf(db, row)
  return {
    name: row.name,
    protocol: row.protocol,
    policy: {
      ...MESH_POLICY,
      requestTimeoutMs: row.request_timeout_ms,
      tryTimeoutMs: Math.min(MESH_POLICY.tryTimeoutMs, row.request_timeout_ms),
      retriesMax: row.retries_max,
    },
    endpoints,
    split: splitOf(db, row.name),
    faults: db
      .all<MeshFaultRow>('SELECT * FROM tw_mesh_fault WHERE service = ? ORDER BY id', row.name)
      .map((fault) => fromJson<MeshFault>(fault.body)),
  }
}

/** Endpoints in service, and why the other tasks of the group are not. */
export function endpointsOf(db: ReadDb, service: MeshServiceRow): { endpoints: MeshEndpoint[]; unused: { task: string; why: string }[] } {
  const tasks = liveTasks(db, service.job, service.grp)
  const nodes = new Map([...new Set(tasks.map((task) => task.node))].map((node) => [node, nodeRow(db, node)]))
  const releases = new Map(
    db
      .all<{ version: number; release: string | null }>('SELECT version, release FROM tw_job_version WHERE job = ?', service.job)
      .map((row) => [row.version, row.release]),
  )
  const endpoints: MeshEndpoint[] = []
  const unused: { task: string; why: string }[] = []
  for (const task of tasks) {
    const port = fromJson<Record<string, number>>(task.ports)[service.port]
    const node = nodes.get(task.node)
    const why = whyUnused(task, node, port)
    if (why !== null || node === undefined || port === undefined) {
      unused.push({ task: taskName(task), why: why ?? '' })
      continue
    }
    endpoints.push({
      task: taskName(task),
      id: task.id,
      address: node.address,
      port,
      subset: `v${task.version}`,
      release: releases.get(task.version) ?? '',
      node: task.node,
      region: node.region,
      weight: 100,
    })
  }
  return { endpoints, unused }
}

/** Why a task is not in service, or null. */
function whyUnused(task: TaskRow, node: NodeRow | undefined, port: number | undefined): string | null {
  if (task.want === 'stop') return 'stopping'
  if (!isReady(task)) return task.state === 'running' ? task.health : task.state
  if (node === undefined || node.state === 'lost') return 'node lost'
  return port === undefined ? 'no port reported' : null
}

/** The split in force, or null: all endpoints are equal. */
export function splitOf(db: ReadDb, service: string): MeshSplit | null {
  const row = db.get<MeshSplitRow>('SELECT * FROM tw_mesh_split WHERE service = ?', service)
  if (!row) return null
  const shares = fromJson<Record<string, number>>(row.shares)
  if (Object.keys(shares).length === 0) return null
  return { shares, arms: fromJson<Record<string, string>>(row.arms), salt: row.salt, sticky: row.sticky, epoch: row.epoch }
}

/** Whether some split is not applied yet. */
export function isSplitWaiting(db: ReadDb): boolean {
  return db.get('SELECT service FROM tw_mesh_split WHERE applied_at IS NULL') !== undefined
}

export interface SplitStatus {
  epoch: number
  /** log position of its `SplitSet` */
  position: number
  /** every proxy works from it since, log time; null: not yet */
  appliedAtMs: number | null
  shares: Record<string, number>
}

/** How far a split has come; null when none was ever set. Its shares may be empty: the split was taken away. */
export function splitStatus(db: ReadDb, service: string): SplitStatus | null {
  const row = db.get<MeshSplitRow>('SELECT * FROM tw_mesh_split WHERE service = ?', service)
  return row
    ? { epoch: row.epoch, position: row.position, appliedAtMs: row.applied_at, shares: fromJson<Record<string, number>>(row.shares) }
    : null
}
