import type { ReadDb } from '../../contracts/storage.ts'
import { groupSpecOf, jobRow, specOf, taskName, type TaskRow } from '../rows.ts'
import type { FleetImage } from '../scheduler/image.ts'
import { plan } from '../scheduler/planner.ts'
import { liveOnNode, liveTasks } from '../tasks/read.ts'

/**
 * Names of the tasks that would find no place elsewhere if all these nodes were emptied now, under every constraint of their groups. Only
 * tasks of services move. Leaves the image as it was.
 */
export function homeless(db: ReadDb, image: FleetImage, nodes: readonly string[]): string[] {
  return image.attempt(() => homelessOn(db, image, nodes))
}

function homelessOn(db: ReadDb, image: FleetImage, nodes: readonly string[]): string[] {
  for (const node of nodes) {
    const index = image.indexOf(node)
    if (index !== undefined) image.setClosed(index, 'draining')
  }
  const leaving = nodes.flatMap((node) =>
    liveOnNode(db, node).filter((task) => task.want === 'run' && jobRow(db, task.job)?.kind === 'service'),
  )
  const names: string[] = []
  for (const [key, tasks] of Map.groupBy(leaving, (task) => JSON.stringify([task.job, task.grp, task.version]))) {
    const [job, grp, version] = JSON.parse(key) as [string, string, number]
    const group = groupSpecOf(specOf(db, job, version), grp)
    if (!group) continue
    const stay = liveTasks(db, job, grp).filter((task) => !nodes.includes(task.node))
    const on = (of: readonly TaskRow[]): string[] => of.map((task) => task.node)
    const wanted = stay.filter((task) => task.want === 'run')
    const standing = {
      sameVersion: on(wanted.filter((task) => task.version === version)),
      group: on(wanted),
      live: on(stay),
      avoid: new Set<string>(),
    }
    const { unplaced } = plan(image, { job, group, indexes: tasks.map((task) => task.idx), standing })
    for (const idx of unplaced) names.push(taskName({ job, grp, idx }))
  }
  return names.sort()
}
