import type { GroupSpec } from '../job-spec.ts'
import type { GroupTask } from '../rows.ts'

/** Causes of stops that count as failures of the task. */
export const OVERDUE_CAUSE = 'not healthy before its deadline'
export const OVERRUN_CAUSE = 'ran longer than its max_run_time'

/** Whether the tasks of a group are over once they exit with 0: batch work, and what another group waits for to be completed. */
export function isToEnd(spec: GroupSpec): boolean {
  return spec.container.restart.onSuccess === 'complete'
}

/** Why a task is to be ended now although nobody replaces it, or null. It is held against its slot. */
export function lateCause(spec: GroupSpec | undefined, task: GroupTask, now: number): string | null {
  if (now >= (healthyDeadline(spec, task) ?? Infinity)) return OVERDUE_CAUSE
  return now >= (runDeadline(spec, task) ?? Infinity) ? OVERRUN_CAUSE : null
}

/** The first deadline of these tasks, log time: {@link lateCause} says something new then. */
export function firstDeadline(specs: ReadonlyMap<number, GroupSpec>, tasks: readonly GroupTask[]): number | null {
  let first = Infinity
  for (const task of tasks) {
    const spec = specs.get(task.version)
    first = Math.min(first, healthyDeadline(spec, task) ?? Infinity, runDeadline(spec, task) ?? Infinity)
  }
  return first === Infinity ? null : first
}

function healthyDeadline(spec: GroupSpec | undefined, task: GroupTask): number | null {
  return task.was_healthy || !spec || spec.container.readiness === null ? null : task.placed_at + spec.healthyDeadlineMs
}

/** Counted from the placement: a program that its agent starts again and again is to end as well. */
function runDeadline(spec: GroupSpec | undefined, task: GroupTask): number | null {
  return spec?.maxRunTimeMs == null ? null : task.placed_at + spec.maxRunTimeMs
}

/**
 * Whether a task's end is held against its slot. Being stopped is not: a preempted, drained, moved or replaced task uses up
 * no attempt, whatever its process made of the signal. Nor is the loss of its node.
 */
export function isFailure(task: GroupTask, toEnd: boolean): boolean {
  if (isLateStop(task)) return true
  if (task.want === 'stop') return false
  return task.state === 'failed' || (task.state === 'complete' && !toEnd)
}

export function isLateStop(task: GroupTask): boolean {
  return task.stop_cause === OVERDUE_CAUSE || task.stop_cause === OVERRUN_CAUSE
}

/** The failures among ended tasks, oldest first; those before `sinceMs`, the last `tw job retry`, are forgiven. */
export function failuresOf(ended: readonly GroupTask[], toEnd: boolean, sinceMs: number | null): GroupTask[] {
  return ended.filter((task) => isFailure(task, toEnd) && (sinceMs === null || (task.ended_at ?? 0) > sinceMs))
}

/**
 * When a slot with these failures is tried again, log time; 0: at once; null: it is given up, as far as the failures that
 * count now say. The delay grows by `factor` with each failure; up to a quarter more, from the latest task's id, keeps many
 * slots that failed together from coming back together. What ran too long would do so again: it is given up.
 */
export function backOff(failures: readonly GroupTask[], spec: GroupSpec, now: number): number | null {
  const last = failures.at(-1)
  if (last === undefined) return 0
  const { delayMs, factor, maxDelayMs, attempts, intervalMs } = spec.reschedule
  if (last.stop_cause === OVERRUN_CAUSE) return null
  if (attempts !== null && failures.filter((task) => (task.ended_at ?? 0) > now - intervalMs).length > attempts) return null
  const delay = Math.min(maxDelayMs, delayMs * factor ** (failures.length - 1))
  return (last.ended_at ?? 0) + Math.round(delay * (1 + (last.id % 16) / 64))
}
