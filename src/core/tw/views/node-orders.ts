import type { DesiredTask, NodeReport, TaskReport } from '../../contracts/node.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { entrySpan } from '../../kernel/trace.ts'
import { must } from '../../kernel/assert.ts'
import { canonicalJson } from '../../kernel/json.ts'
import type { JobSpec } from '../job-spec.ts'
import { devicesOf } from '../nodes/gpus.ts'
import { fromJson, groupSpecOf, nodeRow, specOf, taskName, versionRow, type TaskRow } from '../rows.ts'
import { tasksOnNode, tasksToEnd } from '../tasks/read.ts'

/**
 * Every task the agent of a node should run or end. Tasks that were given up while the node was lost stay in it as
 * `stop` until the agent says their processes are gone. The server may hold a stop back until the proxies know:
 * {@link stoppingTasks}.
 */
export function desiredTasks(db: ReadDb, node: string): DesiredTask[] {
  const tasks = tasksOnNode(db, node)
  const versions = new Map<string, { spec: JobSpec; release: string | null }>()
  return tasks.map((task) => {
    const key = `${task.job}@${task.version}`
    let version = versions.get(key)
    if (!version) {
      version = { spec: specOf(db, task.job, task.version), release: versionRow(db, task.job, task.version)?.release ?? null }
      versions.set(key, version)
    }
    const group = must(groupSpecOf(version.spec, task.grp), `group ${task.grp} of ${key}`)
    return {
      task: taskName(task),
      id: task.id,
      job: task.job,
      group: task.grp,
      version: task.version,
      incarnation: task.incarnation,
      release: version.release,
      service: group.services[0]?.name ?? null,
      spec: group.container,
      ...(task.trace === null ? {} : { cause: { trace: task.trace, span: entrySpan(task.placed_position) } }),
      ...(group.consent.kind === 'pull' ? { pulls: true as const } : {}),
      ...(group.disconnect.stopAfterMs === null ? {} : { stopAfterMs: group.disconnect.stopAfterMs }),
      ...(task.gpu_mask === 0 ? {} : { devices: { indexes: devicesOf(task), shareMilli: task.gpu_milli } }),
      want: task.want,
    }
  })
}

export interface StoppingTask {
  id: number
  task: string
  node: string
  service: string | null
  /** log position of the order: the signal may go out once every connected proxy works from a snapshot at or after it */
  stopPosition: number
  /** log time of the order: after 2 s the signal goes out in any case */
  stopAtMs: number
}

/** Tasks that are to end and whose process may still run. */
export function stoppingTasks(db: ReadDb): StoppingTask[] {
  return tasksToEnd(db).map((task) => ({
    id: task.id,
    task: taskName(task),
    node: task.node,
    service: serviceOf(db, task),
    stopPosition: task.stop_position ?? 0,
    stopAtMs: task.stop_at ?? 0,
  }))
}

/** The service a group serves under, for the proxies that must know of its end; null when it serves none. */
function serviceOf(db: ReadDb, task: TaskRow): string | null {
  const row = db.get<{ name: string }>('SELECT name FROM tw_mesh_service WHERE job = ? AND grp = ? ORDER BY name', task.job, task.grp)
  return row?.name ?? null
}

const ENDED: ReadonlySet<string> = new Set(['stopped', 'complete', 'failed'])

/**
 * What of an agent's report is news: exactly what a `tasksReport` should carry; empty for most heartbeats. A task the
 * agent no longer lists although it acts on orders that name it is news too: its process is gone.
 */
export function reportChanges(db: ReadDb, report: NodeReport): TaskReport[] {
  const rows = tasksOnNode(db, report.identity.node)
  const isBack = nodeRow(db, report.identity.node)?.state !== 'lost'
  const reported = new Map(report.tasks.map((task) => [task.id, task]))
  return rows.flatMap((row): TaskReport[] => {
    const it = reported.get(row.id)
    if (it) return (row.state === 'unknown' ? isBack || ENDED.has(it.state) : differs(row, it)) ? [it] : []
    // Orders older than the task say nothing about it; a start that was never seen may still be on its way.
    if (report.position < row.placed_position || (row.want === 'run' && row.reported === null)) return []
    return [
      {
        id: row.id,
        task: taskName(row),
        incarnation: row.incarnation,
        state: row.want === 'stop' ? 'stopped' : 'failed',
        health: 'none',
        pid: null,
        ports: fromJson<Record<string, number>>(row.ports),
        reason: row.want === 'stop' ? '' : 'unknown',
        restarts: row.restarts,
        startedAt: row.started_at,
      },
    ]
  })
}

function differs(row: TaskRow, it: TaskReport): boolean {
  if (row.is_terminal) return ENDED.has(it.state)
  if (it.incarnation < row.incarnation) return ENDED.has(it.state) && row.want === 'stop'
  return (
    it.state !== row.reported ||
    it.health !== row.health ||
    it.pid !== row.pid ||
    it.reason !== row.reason ||
    it.restarts !== row.restarts ||
    it.incarnation !== row.incarnation ||
    it.startedAt !== row.started_at ||
    canonicalJson(it.ports) !== row.ports
  )
}
