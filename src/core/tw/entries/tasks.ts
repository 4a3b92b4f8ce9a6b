import { z } from 'zod'
import { defineEntry, type EntryMeta } from '../../contracts/entry.ts'
import type { Db } from '../../contracts/storage.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { takeReport } from '../nodes/report-order.ts'
import { groupSpecOf, nodeRow, specOf, type TaskRow } from '../rows.ts'
import { judge } from '../scheduler/referee.ts'
import { endAway } from '../tasks/away.ts'
import { addEvent } from '../tasks/events.ts'
import { dropTask } from '../tasks/forget.ts'
import { loadByName } from '../tasks/load.ts'
import { taskRow } from '../tasks/read.ts'
import { recordsIn, type PlacedRecord } from '../tasks/records.ts'
import { changeTask, endTask, giveUpTask, insertTasks, reapTask } from '../tasks/write.ts'
import { serviceOfJob } from './jobs.ts'
import { note } from './marks.ts'

/** Few tasks, each by name and with why it is there. Earlier versions wrote all of them so. */
const namedPlaces = z.object({
  job: z.string(),
  group: z.string(),
  version: z.int(),
  /** log position of the state it was planned on */
  plannedAt: z.int().optional(),
  /** `devices`: bit i stands for GPU i of the node */
  tasks: z.array(z.object({ index: z.int().min(0), node: z.string(), why: z.string(), devices: z.int().min(0).optional() })),
})

/** Many tasks: `count` records, see {@link packRecords}, and why the first of them is where it is. */
const packedPlaces = z.object({
  job: z.string(),
  group: z.string(),
  version: z.int(),
  plannedAt: z.int().optional(),
  count: z.int(),
  records: z.string(),
  why: z.string(),
})

/**
 * Tasks get a place and are to be started there. `apply` is the referee: each record is checked against the state as it
 * is now; what does not fit is kept aside and answered by a `TasksRejected`. So no planner can over-commit a node (I2).
 */
export const tasksPlaced = defineEntry({
  type: 'tw.TasksPlaced',
  version: 2,
  body: z.union([packedPlaces, namedPlaces]),
  apply: (db, body, meta) => {
    const { job, group, version } = body
    const named = 'tasks' in body ? body.tasks : null
    const records = 'tasks' in body ? recordsOf(db, body) : recordsIn(body)
    const { spec, accepted, refused } = judge(db, { job, group, version, plannedAt: body.plannedAt ?? null, records })
    if (spec !== undefined) {
      const { container } = spec
      insertTasks(
        db,
        {
          job,
          group,
          version,
          cpuMilli: container.cpuMilli,
          memoryBytes: container.memoryBytes,
          diskBytes: container.diskBytes,
          gpuMilli: container.gpu?.shareMilli ?? 0,
          staticPorts: Object.values(container.ports).filter((port) => port > 0),
          why: 'why' in body ? body.why : (body.tasks[0]?.why ?? ''),
        },
        accepted.map((it) => ({ ...it, why: named?.[it.record]?.why ?? null })),
        meta,
      )
    }
    for (const { record, index, node, reason } of refused) reject(db, body, { index, node: named?.[record]?.node ?? node, reason }, meta)
  },
})

function recordsOf(db: Db, { job, group, version, tasks }: z.output<typeof namedPlaces>): PlacedRecord[] {
  const hasDevices = tasks.some((task) => task.devices !== undefined)
  const gpuMilli = hasDevices ? (groupSpecOf(specOf(db, job, version), group)?.container.gpu?.shareMilli ?? 0) : 0
  return tasks.map(({ index, node, devices }) => ({ index, node: loadByName(db, node)?.id ?? 0, gpuMask: devices ?? 0, gpuMilli }))
}

function reject(
  db: Db,
  body: { job: string; group: string; version: number },
  record: { index: number; node: string; reason: string },
  meta: EntryMeta,
): void {
  db.run(
    'INSERT OR IGNORE INTO tw_rejected (position, job, grp, version, idx, node, reason) VALUES (?, ?, ?, ?, ?, ?, ?)',
    meta.position,
    body.job,
    body.group,
    body.version,
    record.index,
    record.node,
    record.reason,
  )
  db.run('UPDATE tw_group SET rejected_at = ? WHERE job = ? AND name = ?', meta.at, body.job, body.group)
}

/** The fact beside a `TasksPlaced` that the referee refused in part: the plan was stale. The group is planned again. */
export const tasksRejected = defineEntry({
  type: 'tw.TasksRejected',
  body: z.object({
    position: z.int(),
    job: z.string(),
    group: z.string(),
    tasks: z.array(z.object({ index: z.int(), node: z.string(), reason: z.string() })),
  }),
  apply: (db, body) => {
    db.run('DELETE FROM tw_rejected WHERE position = ?', body.position)
  },
})

/** A new start of a task in its place: the agent ends the running incarnation and starts the next. */
export const startTask = defineEntry({
  type: 'tw.StartTask',
  body: z.object({ id: z.int(), cause: z.string() }),
  apply: (db, body, meta) => {
    const task = taskRow(db, body.id)
    if (!task || task.is_terminal || task.want === 'stop') return
    changeTask(db, body.id, {
      incarnation: task.incarnation + 1,
      state: task.state === 'unknown' ? 'unknown' : 'starting',
      health: 'starting',
      healthy_since: null,
      reported: null,
    })
    addEvent(db, body.id, meta, `restart asked for: ${body.cause}`)
  },
})

/** Tasks are to end. They are out of service from here on; the signal follows once the proxies know. */
export const stopTask = defineEntry({
  type: 'tw.StopTask',
  body: z.object({ ids: z.array(z.int()), cause: z.string() }),
  apply: (db, body, meta) => {
    for (const id of body.ids) {
      const task = taskRow(db, id)
      if (!task || task.is_terminal || task.want === 'stop') continue
      if (task.state === 'unknown') {
        giveUpTask(db, task, body.cause, meta)
        continue
      }
      changeTask(db, id, {
        want: 'stop',
        state: 'stopping',
        healthy_since: null,
        stop_position: meta.position,
        stop_at: meta.at,
        stop_cause: body.cause,
      })
      addEvent(db, id, meta, `stopping: ${body.cause}`)
    }
  },
})

const report = z.object({
  id: z.int(),
  task: z.string(),
  incarnation: z.int(),
  state: z.enum(['starting', 'running', 'stopping', 'stopped', 'complete', 'failed']),
  health: z.enum(['starting', 'healthy', 'unhealthy', 'none']),
  pid: z.int().nullable(),
  ports: z.record(z.string(), z.int()),
  reason: z.string(),
  restarts: z.int(),
  startedAt: z.number().nullable(),
  cpuMilli: z.number().optional(),
  memoryBytes: z.number().optional(),
})

export const taskReportSchema = report
type Report = z.output<typeof report>

/** What an agent saw of its tasks, only where it differs from the state (`reportChanges`). */
export const tasksReported = defineEntry({
  type: 'tw.TasksReported',
  body: z.object({
    node: z.string(),
    bootId: z.string(),
    /** which word of the agent it is (`nodes/report-order.ts`); entries of before have none */
    instance: z.int().optional(),
    seq: z.int().optional(),
    tasks: z.array(report),
  }),
  notable: (body, db) => {
    const failed = body.tasks.filter((it) => it.state === 'failed' && taskRow(db, it.id)?.want === 'run')
    const [first] = failed
    if (!first) return null
    const more = failed.length > 1 ? ` and ${failed.length - 1} more` : ''
    const job = first.task.split('/')[0] ?? first.task
    return note('task-failed', first.task, serviceOfJob(db, job), `${first.task}${more} failed on ${body.node}: ${first.reason}`)
  },
  apply: (db, body, meta) => {
    const { node, bootId, instance, seq } = body
    if (instance !== undefined && seq !== undefined && !takeReport(db, node, { bootId, instance, seq })) return
    for (const it of body.tasks) {
      const task = taskRow(db, it.id)
      if (task && task.node === body.node) applyReport(db, task, it, meta)
    }
  },
})

const ENDED: ReadonlySet<string> = new Set(['stopped', 'complete', 'failed'])

function applyReport(db: Db, task: TaskRow, it: Report, meta: EntryMeta): void {
  const isEnded = ENDED.has(it.state)
  if (task.is_terminal) {
    // A task that was given up with its node: its process is gone now, nothing is left to do.
    if (isEnded && !task.is_reaped) {
      reapTask(db, task, it.state)
      addEvent(db, task.id, meta, `its process on the returned node ended: ${it.reason || it.state}`)
    }
    return
  }
  // The node speaks again, but is not known to be back.
  if (task.state === 'unknown' && !isEnded && nodeRow(db, task.node)?.state === 'lost') return
  if (it.incarnation < task.incarnation && !isEnded) return
  if (it.incarnation < task.incarnation && task.want === 'run') return
  const isServing = it.state === 'running' && (it.health === 'healthy' || it.health === 'none')
  const isSameRun = it.restarts === task.restarts && it.incarnation === task.incarnation && it.pid === task.pid
  const healthySince = isServing && task.want === 'run' ? ((isSameRun ? task.healthy_since : null) ?? meta.at) : null
  changeTask(db, task.id, {
    reported: it.state,
    health: it.health,
    healthy_since: healthySince,
    pid: isEnded ? null : it.pid,
    ports: canonicalJson(it.ports),
    reason: it.reason,
    restarts: it.restarts,
    incarnation: it.incarnation,
    started_at: it.startedAt,
    was_healthy: isServing ? 1 : task.was_healthy,
  })
  if (it.restarts > task.restarts) addEvent(db, task.id, meta, `restarted by its agent (${it.restarts}): ${it.reason || 'ended'}`)
  if (isEnded) {
    const state = task.want === 'stop' && it.state !== 'complete' ? 'stopped' : (it.state as 'stopped' | 'complete' | 'failed')
    endTask(db, task, state, it.reason, meta)
    reapTask(db, task, it.state)
    return
  }
  const state = task.want === 'stop' ? 'stopping' : it.state === 'stopping' ? 'stopping' : it.state
  if (state !== task.state || it.health !== task.health) {
    changeTask(db, task.id, { state })
    const health = it.state === 'running' && it.health !== 'none' ? `, ${it.health}` : ''
    if (task.state === 'unknown') endAway(db, task.id, meta.at)
    addEvent(db, task.id, meta, `${it.state}${health}${it.reason === '' ? '' : `: ${it.reason}`}`)
  }
}

/** Old final tasks go from the tables; the log keeps them. */
export const tasksForgotten = defineEntry({
  type: 'tw.TasksForgotten',
  body: z.object({ ids: z.array(z.int()) }),
  apply: (db, body) => {
    for (const id of body.ids) dropTask(db, id)
  },
})

export const TASK_ENTRIES = [tasksPlaced, tasksRejected, startTask, stopTask, tasksReported, tasksForgotten] as const
