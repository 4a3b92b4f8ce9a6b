import type { TaskHealth, TaskState } from '../contracts/node.ts'
import type { ReadDb } from '../contracts/storage.ts'
import { must } from '../kernel/assert.ts'
import { completeJob, type GroupSpec, type JobKind, type JobSpec } from './job-spec.ts'

/** Rows as they lie in the tables, and how to get them. */

export interface JobRow {
  name: string
  kind: JobKind
  priority: number
  state: 'running' | 'stopped'
  current_version: number
  last_version: number
  owner: string | null
  changed_at: number
}

export interface VersionRow {
  job: string
  version: number
  document: string
  spec: string
  release: string | null
  reason: string
  author: string
  at: number
  position: number
}

export interface GroupRow {
  job: string
  name: string
  count: number
  rejected_at: number | null
  /** `tw job retry`: failures up to here are forgiven */
  retried_at: number | null
}

export type Arm = 'primary' | 'canary'

export interface ArmRow {
  job: string
  grp: string
  arm: Arm
  version: number
  count: number
}

export interface TaskRow {
  id: number
  job: string
  grp: string
  idx: number
  version: number
  node: string
  incarnation: number
  state: TaskStateHeld
  want: 'run' | 'stop'
  stop_position: number | null
  stop_at: number | null
  stop_cause: string | null
  reported: TaskState | null
  health: TaskHealth
  healthy_since: number | null
  pid: number | null
  ports: string
  reason: string
  restarts: number
  placed_at: number
  placed_position: number
  /** trace id of what it was placed for */
  trace: string | null
  started_at: number | null
  ended_at: number | null
  was_healthy: number
  is_terminal: number
  is_reaped: number
  cpu_milli: number
  memory_bytes: number
  disk_bytes: number
  /** bit i: device i of its node is its own, as far as `gpu_milli` says */
  gpu_mask: number
  gpu_milli: number
  static_ports: string
  why: string
}

/** What the decision about a group looks at of each of its tasks: there may be a thousand, so the rest of their rows is not read for it. */
export type GroupTask = Pick<
  TaskRow,
  | 'id'
  | 'idx'
  | 'version'
  | 'node'
  | 'state'
  | 'want'
  | 'stop_cause'
  | 'health'
  | 'healthy_since'
  | 'reason'
  | 'placed_at'
  | 'ended_at'
  | 'was_healthy'
>

/** What tw holds to be true of a task. `unknown`: its node is silent, and it is not given up. `stopped complete failed lost` are final. */
export type TaskStateHeld = 'placed' | 'starting' | 'running' | 'stopping' | 'unknown' | 'stopped' | 'complete' | 'failed' | 'lost'

export interface NodeRow {
  name: string
  boot_id: string
  pid: number
  region: string
  zone: string
  rack: string
  address: string
  cpu_milli: number
  memory_bytes: number
  attributes: string
  labels: string
  /** JSON of `Conditions` */
  conditions: string
  state: 'ready' | 'lost'
  is_cordoned: number
  joined_at: number
  changed_at: number
  disk_bytes: number
  /** `{model, count}` list as JSON, devices in their order */
  gpus: string
}

export interface NodeUseRow {
  node: string
  cpu_milli: number
  memory_bytes: number
  disk_bytes: number
  /** thousandths in use of each device, as JSON */
  gpus: string
  tasks: number
}

export interface DrainRow {
  node: string
  deadline_at: number | null
  /** at its deadline what is left is stopped in any case */
  is_hard: number
  /** tasks of system jobs stay */
  ignores_system: number
  /** the maintenance it belongs to; null: none */
  maintenance: number | null
  /** the profile the node is emptied for; null: none */
  profile: string | null
  reason: string
  author: string
  is_forced: number
  started_at: number
  /** said to be overdue */
  is_late: number
  finished_at: number | null
}

export interface MeshServiceRow {
  name: string
  job: string
  grp: string
  port: string
  protocol: 'http' | 'tcp'
  request_timeout_ms: number
  retries_max: number
}

export interface MeshSplitRow {
  service: string
  shares: string
  arms: string
  salt: string
  sticky: string | null
  epoch: number
  reason: string
  position: number
  applied_at: number | null
}

export interface MeshFaultRow {
  id: string
  service: string
  body: string
  until_ms: number
}

/** Text of a JSON column back to its value; what is written there was checked on the way in. */
export function fromJson<T>(text: string): T {
  return JSON.parse(text) as T
}

/** `web/api[3]` */
export function taskName(task: Pick<TaskRow, 'job' | 'grp' | 'idx'>): string {
  return `${task.job}/${task.grp}[${task.idx}]`
}

export function jobRow(db: ReadDb, job: string): JobRow | undefined {
  return db.get<JobRow>('SELECT * FROM tw_job WHERE name = ?', job)
}

export function versionRow(db: ReadDb, job: string, version: number): VersionRow | undefined {
  return db.get<VersionRow>('SELECT * FROM tw_job_version WHERE job = ? AND version = ?', job, version)
}

/** Specs by the text they are kept as: each look at a group reads them again, and a version never changes. */
const specs = new Map<string, JobSpec>()
const SPECS_MAX = 5000

/** Of a version, in today's form. It is shared: nobody may change it. */
export function specOf(db: ReadDb, job: string, version: number): JobSpec {
  const row = db.get<Pick<VersionRow, 'spec'>>('SELECT spec FROM tw_job_version WHERE job = ? AND version = ?', job, version)
  const { spec: text } = must(row, `version ${version} of job ${job}`)
  let spec = specs.get(text)
  if (spec === undefined) {
    if (specs.size >= SPECS_MAX) specs.clear()
    specs.set(text, (spec = completeJob(fromJson<JobSpec>(text))))
  }
  return spec
}

/** The group of a version; undefined when that version has no such group. */
export function groupSpecOf(spec: JobSpec, group: string): GroupSpec | undefined {
  return spec.groups.find((candidate) => candidate.name === group)
}

export function nodeRow(db: ReadDb, node: string): NodeRow | undefined {
  return db.get<NodeRow>('SELECT * FROM tw_node WHERE name = ?', node)
}

export function armRows(db: ReadDb, job: string, group: string): ArmRow[] {
  // `primary` before `canary`
  return db.all<ArmRow>('SELECT * FROM tw_arm WHERE job = ? AND grp = ? ORDER BY arm DESC', job, group)
}

export function groupRow(db: ReadDb, job: string, group: string): GroupRow | undefined {
  return db.get<GroupRow>('SELECT * FROM tw_group WHERE job = ? AND name = ?', job, group)
}

export function groupRows(db: ReadDb, job: string): GroupRow[] {
  return db.all<GroupRow>('SELECT * FROM tw_group WHERE job = ? ORDER BY name', job)
}

/** Serving: running, and healthy or without a check. */
export function isReady(task: Pick<TaskRow, 'state' | 'health'>): boolean {
  return task.state === 'running' && (task.health === 'healthy' || task.health === 'none')
}
