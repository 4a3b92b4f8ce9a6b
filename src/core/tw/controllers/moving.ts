import type { GroupTask } from '../rows.ts'
import { isToEnd } from '../tasks/back-off.ts'
import { isBatch, isSystem } from '../job-kind.ts'
import type { Draining, GroupView } from './reconcile-group.ts'

/**
 * Tasks of services leave a drained node, those of system jobs after all others; what runs to an end does so there. At a hard deadline all
 * have to go.
 */
export function isMoving(view: GroupView, task: GroupTask, now: number): boolean {
  if (view.barred.has(task.node)) return true
  const drain = view.draining.get(task.node)
  if (drain === undefined || (isSystem(view.job.kind) && drain.ignores_system)) return false
  if (hardDeadline(drain) <= now) return true
  return !isToEndOf(view, task) && !(isSystem(view.job.kind) && drain.hasOthers)
}

function hardDeadline(drain: Draining | undefined): number {
  return drain?.is_hard === 1 ? (drain.deadline_at ?? Infinity) : Infinity
}

/** When tasks that may stay on their drained nodes until then have to go; null: never. */
export function drainsWakeAt(view: GroupView, active: readonly GroupTask[], now: number): number | null {
  const at = Math.min(...new Set(active.map((task) => hardDeadline(view.draining.get(task.node)))))
  return at > now && at < Infinity ? at : null
}

export function isToEndOf(view: GroupView, task: GroupTask): boolean {
  const spec = view.specs.get(task.version)
  return spec === undefined ? isBatch(view.job.kind) : isToEnd(spec)
}
