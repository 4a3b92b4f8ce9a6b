import type { GroupTask } from '../rows.ts'
import { backOff, failuresOf, isLateStop, isToEnd } from '../tasks/back-off.ts'
import type { GroupDecision, GroupView } from './reconcile-group.ts'

/** An index without a task, and when its back-off is over, log time; null: it is given up. */
export interface Slot {
  index: number
  dueAt: number | null
  /** how it ended last; '' when it never failed */
  lastEnd: string
}

/** The lowest `count` free indexes of a version. */
export function freeSlots(
  view: GroupView,
  version: number,
  count: number,
  completed: readonly GroupTask[],
  decision: Pick<GroupDecision, 'place'>,
  now: number,
): Slot[] {
  const spec = view.specs.get(version)
  if (!spec) return []
  const taken = new Set<number>()
  for (const task of view.live) taken.add(task.idx)
  for (const task of completed) taken.add(task.idx)
  for (const placed of decision.place) for (const task of placed.tasks) taken.add(task.index)
  const failed = Map.groupBy(
    failuresOf(
      view.ended.filter((task) => task.version === version),
      isToEnd(spec),
      view.retriedAt,
    ),
    (task) => task.idx,
  )
  const slots: Slot[] = []
  for (let index = 0; slots.length < count; index += 1) {
    if (taken.has(index)) continue
    const failures = failed.get(index) ?? []
    const last = failures.at(-1)
    slots.push({
      index,
      dueAt: backOff(failures, spec, now),
      lastEnd: last === undefined ? '' : isLateStop(last) ? (last.stop_cause ?? '') : last.reason || last.state,
    })
  }
  return slots
}

/** A sentence for the slots that are given up, if there are any. */
export function givenUpText(slots: readonly Slot[]): string[] {
  const lost = slots.filter((slot) => slot.dueAt === null)
  if (lost.length === 0) return []
  return [
    `${lost.length === 1 ? '1 slot was' : `${lost.length} slots were`} given up: ${[...new Set(lost.map((slot) => slot.lastEnd))].join(', ')}`,
  ]
}
