import { amountOf, type GroupSpec } from '../job-spec.ts'
import { isReady, type ArmRow, type GroupTask } from '../rows.ts'

/** What the budget of one group is counted from. */
export interface Standing {
  arms: readonly Pick<ArmRow, 'version' | 'count'>[]
  specs: ReadonlyMap<number, GroupSpec>
  /** its tasks that are not in a final state */
  live: readonly GroupTask[]
  /** ids of tasks that are to go: they serve until they do, however young they are */
  leaving: ReadonlySet<number>
}

/** How many of a group's tasks may be unavailable at once, for all causes together (I1). */
export interface Budget {
  /** wanted by its arms */
  total: number
  unavailableMax: number
  surgeMax: number
  /** wanted and not available now; negative while more than wanted are available */
  unavailable: () => number
  /** so many available tasks may still go now */
  left: () => number
  /** Counts a task out, if the budget has it; true at no cost for one that does not serve. */
  take: (task: GroupTask) => boolean
}

/**
 * Available is a task that has served for its `min_healthy_time`. One that serves for a shorter time is not, so its end costs nothing by
 * the letter; but when all tasks are that young, all of them would go at once. So it goes only while enough others serve.
 */
export function budgetOf(standing: Standing, now: number): Budget {
  const total = totalOf(standing)
  const { unavailableMax, surgeMax } = limitsOf(specInForce(standing), total)
  const availableMin = total - unavailableMax
  const isAvailable = (task: GroupTask): boolean => isReady(task) && availableAt(standing.specs, task) <= now
  const ready = standing.live.filter((task) => task.want === 'run' && isReady(task))
  let available = ready.filter(isAvailable).length
  let serving = ready.filter((task) => isAvailable(task) || standing.leaving.has(task.id)).length
  return {
    total,
    unavailableMax,
    surgeMax,
    unavailable: () => total - available,
    left: () => Math.max(0, available - availableMin),
    take: (task) => {
      if (task.want !== 'run' || !isReady(task)) return true
      if ((isAvailable(task) ? available : serving) - 1 < availableMin) return false
      if (isAvailable(task)) available -= 1
      serving -= 1
      return true
    },
  }
}

/** When a serving task has served long enough to count as available. */
export function availableAt(specs: ReadonlyMap<number, GroupSpec>, task: GroupTask): number {
  return (task.healthy_since ?? 0) + (specs.get(task.version)?.minHealthyMs ?? 0)
}

export function totalOf(standing: Pick<Standing, 'arms'>): number {
  return standing.arms.reduce((sum, arm) => sum + arm.count, 0)
}

/** The version whose budget, consent and order hold: the primary one. Undefined when nothing is wanted. */
export function specInForce(standing: Pick<Standing, 'arms' | 'specs'>): GroupSpec | undefined {
  const version = standing.arms[0]?.version
  return version === undefined ? undefined : standing.specs.get(version)
}

/** How many may be missing and how many may be added, for a group of `total` tasks. */
export function limitsOf(spec: GroupSpec | undefined, total: number): { unavailableMax: number; surgeMax: number } {
  if (!spec) return { unavailableMax: total, surgeMax: 0 }
  const unavailableMax = amountOf(spec.maxUnavailable, total, 'down')
  const surgeMax = amountOf(spec.maxSurge, total, 'up')
  // Two tasks cannot hold one static port, so such a group is replaced in place.
  if (Object.values(spec.container.ports).some((port) => port > 0)) return { unavailableMax: Math.max(1, unavailableMax), surgeMax: 0 }
  return surgeMax === 0 ? { unavailableMax: Math.max(1, unavailableMax), surgeMax } : { unavailableMax, surgeMax }
}
