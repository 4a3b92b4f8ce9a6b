import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { must } from '../../kernel/assert.ts'
import type { GroupSpec } from '../job-spec.ts'
import { openOps } from '../ops/op-row.ts'
import { proposeStop } from '../ops/propose-stop.ts'
import { armRows, groupSpecOf, isReady, jobRow, specOf, type TaskRow } from '../rows.ts'
import type { FleetImage } from '../scheduler/image.ts'
import { planMoves, type Movable, type Move } from '../scheduler/moves.ts'
import { liveOnNode, liveTasks } from '../tasks/read.ts'

/**
 * Moves worth making now, on the state as it is. Only serving tasks of services move, and of a group only when nothing else
 * goes on in it: no update, no op. Leaves the image as it was.
 */
export function movesOf(db: ReadDb, image: FleetImage, limits: { movesPpm: number; gainMin: number }): { tasks: number; moves: Move[] } {
  const groups = new Map<string, { spec: GroupSpec; live: string[] } | null>()
  const groupOf = (task: TaskRow): { spec: GroupSpec; live: string[] } | null => {
    const key = `${task.job}/${task.grp}`
    const known = groups.get(key)
    if (known !== undefined) return known
    const group = quietGroup(db, task)
    groups.set(key, group)
    return group
  }
  const tasks = image.order.subarray(0, image.size).reduce((sum, node) => sum + (image.tasks[node] ?? 0), 0)
  const movesMax = Math.floor((tasks * limits.movesPpm) / 1_000_000)
  const moves = planMoves(image, { movesMax, gainMin: limits.gainMin }, (node) =>
    liveOnNode(db, image.names[node] ?? '').flatMap((task): Movable[] => {
      const group = isReady(task) ? groupOf(task) : null
      if (group === null) return []
      const standing = { sameVersion: group.live, group: group.live, live: group.live, avoid: new Set<string>() }
      return [{ id: task.id, job: task.job, grp: task.grp, idx: task.idx, group: group.spec, devices: task.gpu_mask, standing }]
    }),
  )
  return { tasks, moves }
}

/** The ops that carry the moves out. */
export function moveEntries(moves: readonly Move[]): Proposal[] {
  return moves.map(({ task, from, to }) => proposeStop(task, 'move', 'rebalance', `rebalance: from ${from}, probably to ${to}`))
}

function quietGroup(db: ReadDb, task: TaskRow): { spec: GroupSpec; live: string[] } | null {
  const [arm, ...others] = armRows(db, task.job, task.grp).filter(({ count }) => count > 0)
  if (jobRow(db, task.job)?.kind !== 'service' || arm === undefined || others.length > 0) return null
  const live = liveTasks(db, task.job, task.grp)
  if (openOps(db, task.job, task.grp).length > 0 || live.some((it) => it.version !== arm.version || !isReady(it))) return null
  const spec = must(groupSpecOf(specOf(db, task.job, arm.version), task.grp), `group ${task.grp}`)
  return { spec, live: live.map(({ node }) => node) }
}
