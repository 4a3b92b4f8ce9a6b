import type { ArmRow, GroupTask } from '../rows.ts'
import { isReady } from '../rows.ts'
import type { OpRow } from '../ops/op-row.ts'
import type { GroupView } from './reconcile-group.ts'

/**
 * At most as many of the tasks as the arm wants: serving ones first, and of equals those that keep regions and nodes even. Of one that came
 * back and its replacement the group says which: the original, or the one that serves (and the original if both do).
 */
export function keepSpread(
  tasks: readonly GroupTask[],
  { count, version }: ArmRow,
  { regionOf, specs, away }: Pick<GroupView, 'regionOf' | 'specs' | 'away'>,
  opOf: ReadonlyMap<number, OpRow>,
): GroupTask[] {
  if (tasks.length <= count) return [...tasks]
  const keepsOriginal = specs.get(version)?.disconnect.keep === 'original'
  const rankOf = (task: GroupTask): number[] => {
    const isOriginal = away.get(task.id)?.is_back === 1
    const op = opOf.get(task.id)
    return [
      keepsOriginal && !isOriginal ? 1 : 0,
      isReady(task) || isRestarting(op) ? 0 : 1,
      // Whose end was proposed already goes first, so that a proposal stands.
      op?.state === 'proposed' ? 1 : 0,
      isOriginal ? 0 : 1,
    ]
  }
  const byRank = Map.groupBy(
    tasks.map((task) => ({ task, rank: rankOf(task).join('') })),
    ({ rank }) => rank,
  )
  const kept: GroupTask[] = []
  const onNode = new Map<string, number>()
  const inRegion = new Map<string, number>()
  for (const rank of [...byRank.keys()].sort()) {
    if (kept.length >= count) break
    const equals = (byRank.get(rank) ?? []).map(({ task }) => task).sort((a, b) => a.idx - b.idx || a.id - b.id)
    for (const task of evenly(equals, regionOf, inRegion, onNode).slice(0, count - kept.length)) kept.push(task)
  }
  return kept
}

export function isRestarting(op: OpRow | undefined): boolean {
  return op?.state === 'allowed' && op.kind === 'restart'
}

/**
 * Tasks in the order in which each next one is of the region with the fewest before it, there on the node with the fewest, and of those the
 * first in the list. The n-th of a node comes when n - 1 of it have come, whatever comes between; so do those of a region: it is two sorts.
 */
function evenly(
  tasks: readonly GroupTask[],
  regionOf: GroupView['regionOf'],
  inRegion: Map<string, number>,
  onNode: Map<string, number>,
): GroupTask[] {
  const next = (counts: Map<string, number>, key: string): number => {
    const n = counts.get(key) ?? 0
    counts.set(key, n + 1)
    return n
  }
  const byNode = tasks
    .map((task, place) => ({ task, place, ofNode: next(onNode, task.node) }))
    .sort((a, b) => a.ofNode - b.ofNode || a.place - b.place)
  const byRegion = byNode.map((it) => ({ ...it, ofRegion: next(inRegion, regionOf(it.task.node)) }))
  return byRegion.sort((a, b) => a.ofRegion - b.ofRegion || a.ofNode - b.ofNode || a.place - b.place).map(({ task }) => task)
}
