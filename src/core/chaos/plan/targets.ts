import type { ReadDb } from '../../contracts/storage.ts'
import { hashText } from '../../kernel/hash.ts'
import { refuse, type MusterError } from '../../kernel/errors.ts'
import { createPrng } from '../../kernel/prng.ts'
import { tasksBySelector, type TaskView } from '../../tw/queries.ts'
import type { Target } from '../schema.ts'

/** A task serves: it may be broken, and counts as healthy for what must be left. */
export function isServing(task: TaskView): boolean {
  return task.state === 'running' && task.want === 'run' && (task.health === 'healthy' || task.health === 'none')
}

/** The part of a target that says where tasks are. */
export function candidatesOf(db: ReadDb, target: Target): TaskView[] {
  const { job, group, service, node, region, version, labels } = target
  return tasksBySelector(db, { job, group, service, node, region, version, labels }).filter(isServing)
}

/**
 * The tasks a target means, chosen by a seed, so that a plan and its run choose alike on the same state. Tasks whose loss
 * would leave fewer than `leaveHealthy` of their group in their region are passed over.
 * @param taken ids an earlier action of the run has chosen
 */
export function chooseTasks(
  db: ReadDb,
  target: Target,
  leaveHealthy: number,
  seed: string,
  taken: ReadonlySet<number>,
): TaskView[] | MusterError {
  const candidates = candidatesOf(db, target).filter((task) => !taken.has(task.id))
  if (candidates.length === 0) return refuse('CHAOS_NO_TARGET', `no healthy task matches ${JSON.stringify(target)}`)
  const wanted =
    target.all === true
      ? candidates.length
      : target.share === undefined
        ? (target.count ?? 1)
        : Math.max(1, Math.floor((candidates.length * target.share) / 1_000_000))
  if (wanted > candidates.length) return refuse('CHAOS_NO_TARGET', `${wanted} tasks are asked for, ${candidates.length} healthy ones match`)
  const left = new Map<string, number>()
  for (const task of groupMates(db, candidates)) if (!taken.has(task.id)) left.set(domainOf(task), (left.get(domainOf(task)) ?? 0) + 1)
  const chosen: TaskView[] = []
  // Seeded by the tasks as they are, too: a plan and the run after it choose alike, the next run other ones.
  const state = candidates.map(({ id, incarnation }) => `${id}.${incarnation}`).join(' ')
  for (const task of shuffled(candidates, `${seed} ${state}`)) {
    const rest = (left.get(domainOf(task)) ?? 0) - 1
    if (rest < leaveHealthy) continue
    left.set(domainOf(task), rest)
    chosen.push(task)
    if (chosen.length === wanted) return chosen
  }
  return refuse(
    'CHAOS_RADIUS',
    `${wanted} tasks are asked for, but only ${chosen.length} can go so that ${leaveHealthy} of each group stay healthy in each region`,
    {
      details: { wanted, possible: chosen.length, leaveHealthy },
    },
  )
}

/** Group and region: what must not be left empty. */
function domainOf(task: TaskView): string {
  return `${task.job}/${task.group}@${task.region}`
}

function groupMates(db: ReadDb, tasks: readonly TaskView[]): TaskView[] {
  const groups = new Map(tasks.map((task) => [`${task.job}/${task.group}`, { job: task.job, group: task.group }]))
  return [...groups.values()].flatMap((group) => tasksBySelector(db, group).filter(isServing))
}

function shuffled<T>(items: readonly T[], seed: string): T[] {
  const random = createPrng(hashText(seed))
  return items
    .map((item) => ({ item, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}
