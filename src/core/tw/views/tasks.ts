import type { ReadDb } from '../../contracts/storage.ts'
import { groupSpecOf, fromJson, nodeRow, specOf, taskName, versionRow, type NodeRow, type TaskRow } from '../rows.ts'
import type { JobSpec } from '../job-spec.ts'
import { taskGpu, type TaskGpu } from '../nodes/gpus.ts'
import { idsOnNode, taskRow } from '../tasks/read.ts'

/** A task as people and other systems see it. */
export interface TaskView {
  task: string
  id: number
  job: string
  group: string
  index: number
  version: number
  release: string | null
  arm: string | null
  service: string | null
  node: string
  region: string
  state: TaskRow['state']
  health: TaskRow['health']
  want: TaskRow['want']
  incarnation: number
  restarts: number
  reason: string
  pid: number | null
  ports: Record<string, number>
  placedAtMs: number
  startedAtMs: number | null
  endedAtMs: number | null
  cpuMilli: number
  memoryBytes: number
  diskBytes: number
  /** the GPUs it holds; null: none */
  gpu: TaskGpu | null
  /** measured by its agent; null: not known here */
  cpuUsedMilli: number | null
  memoryUsedBytes: number | null
  labels: Record<string, string>
}

export interface TaskSelector {
  job?: string | undefined
  group?: string | undefined
  index?: number | undefined
  service?: string | undefined
  node?: string | undefined
  region?: string | undefined
  version?: number | undefined
  labels?: Record<string, string> | undefined
  /** tasks in a final state too */
  isAll?: boolean | undefined
}

/** Tasks that match every given part, by name; without `isAll` only those that live. Stopping tasks are among them. */
export function tasksBySelector(db: ReadDb, selector: TaskSelector): TaskView[] {
  const where: string[] = ['1 = 1']
  const params: (string | number)[] = []
  const add = (sql: string, value: string | number | undefined): void => {
    if (value === undefined) return
    where.push(sql)
    params.push(value)
  }
  add('t.job = ?', selector.job)
  add('t.grp = ?', selector.group)
  add('t.idx = ?', selector.index)
  if (selector.node !== undefined && !selector.isAll)
    add('t.id IN (SELECT value FROM json_each(?))', JSON.stringify(idsOnNode(db, selector.node)))
  else add('t.node = ?', selector.node)
  add('t.version = ?', selector.version)
  if (!selector.isAll) where.push('t.is_terminal = 0')
  const rows = db.all<TaskRow>(`SELECT t.* FROM tw_task t WHERE ${where.join(' AND ')} ORDER BY t.job, t.grp, t.idx, t.id`, ...params)
  return selectViews(taskViews(db, rows), selector)
}

/** Those that meet what only the view knows: service, region, labels. */
export function selectViews(views: readonly TaskView[], selector: TaskSelector): TaskView[] {
  return views.filter(
    (view) =>
      (selector.service === undefined || view.service === selector.service) &&
      (selector.region === undefined || view.region === selector.region) &&
      Object.entries(selector.labels ?? {}).every(([key, value]) => view.labels[key] === value),
  )
}

export function taskViews(db: ReadDb, rows: readonly TaskRow[]): TaskView[] {
  const nodes = new Map<string, NodeRow | undefined>()
  for (const { node } of rows) if (!nodes.has(node)) nodes.set(node, nodeRow(db, node))
  const arms = new Map(
    [...new Set(rows.map((row) => row.job))].flatMap((job) =>
      db
        .all<{ grp: string; version: number; arm: string }>('SELECT grp, version, arm FROM tw_arm WHERE job = ?', job)
        .map((row) => [`${job}/${row.grp}@${row.version}`, row.arm] as const),
    ),
  )
  const specs = new Map<string, { spec: JobSpec; release: string | null }>()
  return rows.map((task) => {
    const key = `${task.job}@${task.version}`
    let version = specs.get(key)
    if (!version) {
      version = { spec: specOf(db, task.job, task.version), release: versionRow(db, task.job, task.version)?.release ?? null }
      specs.set(key, version)
    }
    const group = groupSpecOf(version.spec, task.grp)
    return {
      task: taskName(task),
      id: task.id,
      job: task.job,
      group: task.grp,
      index: task.idx,
      version: task.version,
      release: version.release,
      arm: arms.get(`${task.job}/${task.grp}@${task.version}`) ?? null,
      service: group?.services[0]?.name ?? null,
      node: task.node,
      region: nodes.get(task.node)?.region ?? '',
      state: task.state,
      health: task.health,
      want: task.want,
      incarnation: task.incarnation,
      restarts: task.restarts,
      reason: task.reason,
      pid: task.pid,
      ports: fromJson<Record<string, number>>(task.ports),
      placedAtMs: task.placed_at,
      startedAtMs: task.started_at,
      endedAtMs: task.ended_at,
      cpuMilli: task.cpu_milli,
      memoryBytes: task.memory_bytes,
      diskBytes: task.disk_bytes,
      gpu: taskGpu(task, nodes.get(task.node)),
      cpuUsedMilli: null,
      memoryUsedBytes: null,
      labels: {
        ...version.spec.labels,
        ...group?.labels,
        job: task.job,
        group: task.grp,
        node: task.node,
        region: nodes.get(task.node)?.region ?? '',
        version: `v${task.version}`,
      },
    }
  })
}

/** `web`, a run `backup.17`, `web/api`, `web/api[3]`, or a task's id (`17`); null when it is none of these. */
export function parseTarget(target: string): { job: string; group?: string; index?: number } | { id: number } | null {
  if (/^\d+$/.test(target)) return { id: Number(target) }
  const match = /^([a-z0-9][a-z0-9-]*(?:\.\d+)?)(?:\/([a-z0-9][a-z0-9-]*)(?:\[(\d+)\])?)?$/.exec(target)
  if (!match?.[1]) return null
  return {
    job: match[1],
    ...(match[2] === undefined ? {} : { group: match[2] }),
    ...(match[3] === undefined ? {} : { index: Number(match[3]) }),
  }
}

/** The task of a name or id: the live one, else the latest that ended; null when there is none. */
export function findTask(db: ReadDb, target: string): TaskRow | null {
  const parsed = parseTarget(target)
  if (parsed === null) return null
  if ('id' in parsed) return taskRow(db, parsed.id) ?? null
  if (parsed.group === undefined || parsed.index === undefined) return null
  return (
    db.get<TaskRow>(
      'SELECT * FROM tw_task WHERE job = ? AND grp = ? AND idx = ? ORDER BY is_terminal, id DESC',
      parsed.job,
      parsed.group,
      parsed.index,
    ) ?? null
  )
}
