import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { must } from '../../kernel/assert.ts'
import type { GroupSpec } from '../job-spec.ts'
import { proposeStop } from '../ops/propose-stop.ts'
import { groupSpecOf, specOf, taskName, type JobRow, type TaskRow } from '../rows.ts'
import { demandOf } from '../scheduler/demand.ts'
import type { FleetImage } from '../scheduler/image.ts'
import { PREEMPT_POINTS, preempt, type Preemption, type Victim } from '../scheduler/preempt.ts'
import type { PlanRequest } from '../scheduler/slice.ts'
import { liveOnNode, taskRow, tasksToEnd } from '../tasks/read.ts'

/** So long a victim's application is asked and its budget heard; best-effort ones go at once. */
const ASKED_MS = 30_000

/**
 * Who has to make room for tasks of a group that `preempts` and found no place. Tasks that are on their way out already
 * count as gone, so nobody more is sent away for a place that is about to come. Never a task whose own group preempts:
 * that would go on with others.
 */
export function preemptionsFor(db: ReadDb, image: FleetImage, priority: number, request: PlanRequest): Preemption[] {
  const priorities = new Map(
    db
      .all<Pick<JobRow, 'name' | 'priority'>>('SELECT name, priority FROM tw_job WHERE priority <= ?', priority - PREEMPT_POINTS)
      .map((job) => [job.name, job.priority]),
  )
  if (priorities.size === 0) return []
  const leaving = new Map(leavingTasks(db).map((task) => [task.id, task]))
  const specs = new Specs(db)
  const victimOf = (task: TaskRow): Victim[] => {
    const spec = specs.of(task)
    const points = priorities.get(task.job)
    if (points === undefined || spec.preempts || task.want !== 'run' || leaving.has(task.id)) return []
    const { id, job, grp, idx } = task
    return [{ id, job, grp, idx, priority: points, isBestEffort: spec.isBestEffort, demand: demandOf(spec), devices: task.gpu_mask }]
  }
  return image.attempt(() => {
    for (const task of leaving.values()) {
      const node = image.indexOf(task.node)
      if (node !== undefined) image.applyTask(node, demandOf(specs.of(task)), -1, task.gpu_mask)
    }
    const known = new Map<number, Victim[]>()
    return preempt(image, request, (node) => {
      const victims = known.get(node) ?? liveOnNode(db, image.names[node] ?? '').flatMap(victimOf)
      known.set(node, victims)
      return victims
    }).filter(({ victims }) => victims.length > 0)
  })
}

/** The ops that ask the victims to go. */
export function preemptEntries(job: string, group: string, preemptions: readonly Preemption[], now: number): Proposal[] {
  return preemptions.flatMap(({ index, victims }) =>
    victims.map((victim) =>
      proposeStop(victim, 'move', 'preempt', `room for ${taskName({ job, grp: group, idx: index })}`, {
        at: victim.isBestEffort ? now : now + ASKED_MS,
        isHard: true,
      }),
    ),
  )
}

/** Live tasks that are stopping, or were asked to make room. */
function leavingTasks(db: ReadDb): TaskRow[] {
  const asked = db.all<{ task: number }>("SELECT task FROM tw_op WHERE ended_at IS NULL AND cause = 'preempt'")
  const rows = [...tasksToEnd(db), ...asked.flatMap(({ task }) => taskRow(db, task) ?? [])]
  return rows.filter((task) => !task.is_terminal)
}

class Specs {
  readonly #db: ReadDb
  readonly #known = new Map<string, GroupSpec>()
  constructor(db: ReadDb) {
    this.#db = db
  }

  of(task: Pick<TaskRow, 'job' | 'grp' | 'version'>): GroupSpec {
    const key = `${task.job}/${task.grp}@${task.version}`
    const spec = this.#known.get(key) ?? must(groupSpecOf(specOf(this.#db, task.job, task.version), task.grp), `group ${key}`)
    this.#known.set(key, spec)
    return spec
  }
}
