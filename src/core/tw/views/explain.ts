import type { ReadDb } from '../../contracts/storage.ts'
import { opsView } from './ops.ts'
import { formatSize } from '../../kernel/units.ts'
import { taskGpu, type TaskGpu } from '../nodes/gpus.ts'
import { must } from '../../kernel/assert.ts'
import { formatDuration } from '../../kernel/units.ts'
import { FAILURE_MEMORY_MS } from '../controllers/reconcile-group.ts'
import { decisions, type GroupDecided } from '../controllers/reconciler.ts'
import { waitingReasons, type WaitingCode } from '../controllers/waiting.ts'
import { armRows, groupSpecOf, jobRow, nodeRow, specOf, taskName, type TaskRow } from '../rows.ts'
import { awayRow } from '../tasks/away.ts'
import { isFailure, isToEnd } from '../tasks/back-off.ts'
import { endedTasks, liveTasks } from '../tasks/read.ts'
import type { FleetImage } from '../scheduler/image.ts'
import { onImage, type Asked } from '../soft.ts'
import { leftText, refusalBy } from './node-verdict.ts'

export interface Blocked {
  job: string
  group: string
  version: number
  /** names the tasks would have */
  tasks: string[]
  code: WaitingCode
  why: string
}

/** Tasks that have no place now, and what took the nodes away, of one job or of all. Planned on the state as it is. */
export function blockedOf(db: ReadDb, job: string | null, asked: Asked): Blocked[] {
  return onImage(db, asked, (image) => blockedIn(decisions(db, image, asked.now, { only: job })))
}

function blockedIn(decided: readonly GroupDecided[]): Blocked[] {
  return decided.flatMap((it) =>
    waitingReasons(it.decision).map(({ indexes, ...rest }) => ({
      job: it.job,
      group: it.group,
      tasks: indexes.map((idx) => taskName({ job: it.job, grp: it.group, idx })),
      ...rest,
    })),
  )
}

/** Of one job {@link blockedOf} and what else its groups wait for, from one plan. */
export function standstillOf(db: ReadDb, job: string, asked: Asked): { blocked: Blocked[]; waiting: string[] } {
  const decided = onImage(db, asked, (image) => decisions(db, image, asked.now, { only: job }))
  return { blocked: blockedIn(decided), waiting: waitingOf(db, job, decided, asked.now) }
}

const NAMED_MAX = 5

function someNames(tasks: readonly TaskRow[]): string {
  const more = tasks.length > NAMED_MAX ? ` and ${tasks.length - NAMED_MAX} more` : ''
  return tasks.slice(0, NAMED_MAX).map(taskName).join(', ') + more
}

/** Sentences about what a group waits for, beside room: its health, its back-off, its owner. */
function waitingOf(db: ReadDb, job: string, decided: readonly GroupDecided[], now: number): string[] {
  const row = jobRow(db, job)
  if (!row) return []
  const lines: string[] = []
  if (row.state === 'stopped') lines.push(`the job ${job} is stopped: it places nothing`)
  if (row.owner !== null) lines.push(`the job is owned by ${row.owner}, which alone changes it`)
  for (const op of opsView(db, { job }, now))
    if (op.waitsFor !== '')
      lines.push(`${op.task}: ${op.text}, op ${op.op}, waits for ${op.waitsFor}${op.code === null ? '' : ` (${op.code})`}`)
  for (const { group, decision } of decided) {
    lines.push(...decision.held.map((text) => `${job}/${group}: ${text}`))
    const live = liveTasks(db, job, group)
    const versions = new Set(
      armRows(db, job, group)
        .filter((arm) => arm.count > 0)
        .map((arm) => arm.version),
    )
    const old = live.filter((task) => task.want === 'run' && !versions.has(task.version))
    const stopping = new Set(decision.stop.flatMap((stop) => stop.ids))
    const unknown = live.filter((task) => task.state === 'unknown')
    if (unknown.length > 0)
      lines.push(`${job}/${group}: unknown are ${someNames(unknown)}: their nodes are silent (\`muster tw explain TASK\`)`)
    const held = old.filter((task) => !stopping.has(task.id)).length
    if (held > 0) lines.push(`${job}/${group}: ${held} tasks of an older version stay until enough new ones are healthy for long enough`)
    const spec = groupSpecOf(specOf(db, job, row.current_version), group)
    const failed = endedTasks(db, job, group, now - FAILURE_MEMORY_MS)
      .filter((task) => isFailure(task, spec !== undefined && isToEnd(spec)))
      .reverse()
    const [latest] = failed
    if (latest) {
      lines.push(
        `${job}/${group}: ${failed.length} failed within the last hour, lately ${taskName(latest)} on ${latest.node}: ${latest.state === 'failed' && latest.reason !== '' ? latest.reason : (latest.stop_cause ?? latest.state)}`,
      )
      if (decision.place.length === 0 && decision.blocked.length === 0 && decision.wakeAt !== null && missing(db, job, group) > 0) {
        lines.push(`${job}/${group}: the next try comes in ${Math.max(0, Math.ceil((decision.wakeAt - now) / 1000))} s (back-off)`)
      }
    }
  }
  return lines
}

function missing(db: ReadDb, job: string, group: string): number {
  const wanted = armRows(db, job, group).reduce((sum, arm) => sum + arm.count, 0)
  return wanted - liveTasks(db, job, group).filter((task) => task.want === 'run').length
}

/** Why a task is where it is and as it is. */
export function taskLines(db: ReadDb, task: TaskRow, now: number): string[] {
  const ago = (at: number): string => `${formatDuration(Math.max(1, Math.round((now - at) / 1000)) * 1000)} ago`
  const lines = [`placed on ${task.node} ${ago(task.placed_at)}: ${task.why}`]
  if (task.want === 'stop') lines.push(`asked to stop${task.stop_at === null ? '' : ` ${ago(task.stop_at)}`}: ${task.stop_cause ?? ''}`)
  const reason = task.reason === '' ? '' : `: ${reasonText(db, task)}`
  if (task.is_terminal) lines.push(`${task.state}${task.ended_at === null ? '' : ` ${ago(task.ended_at)}`}${reason}`)
  else if (task.state === 'unknown') lines.push(awayText(db, task, now))
  else if (task.reported === null) lines.push(`its agent has not reported it yet`)
  else if (task.state === 'starting' && reason !== '') lines.push(`to be started again after it ended${reason}`)
  else lines.push(`${task.state}, health ${task.health}${reason}`)
  if (task.restarts > 0) lines.push(`restarted by its agent, ${task.restarts === 1 ? 'once' : `${task.restarts} times`}`)
  if (reason !== '') lines.push(`what it wrote last: muster tw logs '${taskName(task)}' -n 20`)
  return lines
}

/** A reason as agents give it, with what it means where that can be said. */
function reasonText(db: ReadDb, task: TaskRow): string {
  if (task.reason === 'exit 127') return 'exit 127, a program that it runs was not found'
  const limit = groupSpecOf(specOf(db, task.job, task.version), task.grp)?.container.memoryMaxBytes
  return task.reason === 'oom' && limit !== undefined ? `oom, it wanted more than its memory_max of ${formatSize(limit)}` : task.reason
}

/** What is known of a task whose node is silent, and what comes next. */
function awayText(db: ReadDb, task: TaskRow, now: number): string {
  const away = must(awayRow(db, task.id), `task ${task.id} that is away`)
  const keep = groupSpecOf(specOf(db, task.job, task.version), task.grp)?.disconnect.keep ?? 'replacement'
  const since = `unknown: ${task.node} is silent, lost ${Math.max(0, Math.round((now - away.since) / 1000))} s ago; it may run there`
  if (now < away.due_at)
    return `${since}. It is replaced in ${Math.ceil((away.due_at - now) / 1000)} s unless the node returns (disconnect.lost_after)`
  const choice = keep === 'original' ? 'this one stays' : 'the one that serves stays'
  return `${since}. It may be replaced; when the node returns ${choice} and the other ends (disconnect.keep)`
}

/** What a task holds beside cpu and memory, and what keeps it to that. */
export function holdingLines(db: ReadDb, task: TaskRow): string[] {
  const lines: string[] = []
  if (task.disk_bytes > 0) lines.push(`counted with ${formatSize(task.disk_bytes)} of disk, which nothing enforces`)
  const gpu = taskGpu(task, nodeRow(db, task.node))
  if (gpu !== null)
    lines.push(
      gpu.shareMilli === 1000
        ? `holds GPU ${gpuText(gpu)} of ${task.node}`
        : `holds ${gpu.shareMilli / 10} % of GPU ${gpuText(gpu)} of ${task.node}: a share divides memory and time by agreement only, the program has to keep to MUSTER_GPU_SHARE`,
    )
  return lines
}

const gpuText = ({ indexes, models }: TaskGpu): string => indexes.map((device, i) => `${device} (${models[i] || 'gone'})`).join(', ')

/** Whether one given node could take one more task of the group now, and if not, what forbids it. */
export function nodeLine(db: ReadDb, image: FleetImage, job: string, group: string, version: number, name: string): string {
  const spec = groupSpecOf(specOf(db, job, version), group)
  if (!spec || !nodeRow(db, name)) return `there is no node ${name}`
  const live = liveTasks(db, job, group).map((task) => task.node)
  return refusalBy(image, job, spec, live, name) ?? `${name} could take one more task of ${job}/${group}: ${leftText(image, name)}`
}
