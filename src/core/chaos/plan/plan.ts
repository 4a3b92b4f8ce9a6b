import type { ReadDb } from '../../contracts/storage.ts'
import { isRefusal, refuse, type MusterError } from '../../kernel/errors.ts'
import { formatShare } from '../../kernel/units.ts'
import { tasksBySelector } from '../../tw/queries.ts'
import { CATALOGUE } from '../catalogue.ts'
import type { Action, Experiment } from '../schema.ts'
import { chooseTasks, isServing } from './targets.ts'

export interface PlannedFault {
  /** index in the method */
  action: number
  fault: Action['provider']['fault']
  backend: 'node' | 'mesh'
  service: string | null
  task: { id: number; name: string; incarnation: number; node: string } | null
  /** ms after the start of the run */
  atMs: number
  durationMs: number
}

/** Blast radius: predicted, and the caps it was held against. Users in parts per million. */
export interface Radius {
  tasks: number
  tasksMax: number
  serving: number
  usersPpm: number
  usersMaxPpm: number
}

export interface Plan {
  services: string[]
  faults: PlannedFault[]
  radius: Radius
  /** how long faults are armed and watched */
  observeMs: number
}

const TASKS_DEFAULT_PPM = 50_000
const TASKS_LIMIT_PPM = 500_000
const PROD = { usersDefaultPpm: 5_000, usersLimitPpm: 10_000 }
/** how long requests may reach a task that is gone before the proxies leave it out, never measured here (chaos, blast radius) */
const NOTICED_MS = 10_000

/** What a run would break, held against its caps. Changes nothing. */
export function planRun(db: ReadDb, experiment: Experiment, seed: string): Plan | MusterError {
  const faults: PlannedFault[] = []
  let offsetMs = 0
  for (const [i, action] of experiment.method.entries()) {
    offsetMs += (action.pauses?.before ?? 0) * 1000
    const planned = planAction(
      db,
      experiment,
      action,
      i,
      offsetMs,
      `${seed}/${i}`,
      new Set(faults.flatMap(({ task }) => (task === null ? [] : [task.id]))),
    )
    if (isRefusal(planned)) return planned
    faults.push(...planned)
    offsetMs += (action.pauses?.after ?? 0) * 1000
  }
  const services = [...new Set(faults.flatMap(({ service }) => (service === null ? [] : [service])))].sort()
  const observeMs = Math.max(experiment.muster.observe_min, offsetMs, ...faults.map(({ atMs, durationMs }) => atMs + durationMs))
  const radius = radiusOf(db, experiment, faults, services)
  return isRefusal(radius) ? radius : { services, faults, radius, observeMs }
}

function planAction(
  db: ReadDb,
  experiment: Experiment,
  { provider }: Action,
  action: number,
  atMs: number,
  seed: string,
  taken: ReadonlySet<number>,
): PlannedFault[] | MusterError {
  const { fault, target } = provider
  const durationMs = ('duration' in provider.arguments ? provider.arguments.duration : undefined) ?? experiment.muster.duration
  const backend = CATALOGUE.find((kind) => kind.fault === fault)?.by ?? 'node'
  if (backend === 'mesh') {
    const service = target.service ?? ''
    if (tasksBySelector(db, { service, version: target.version }).filter(isServing).length === 0)
      return refuse('CHAOS_NO_TARGET', `the service ${service} has no healthy task`)
    return [{ action, fault, backend, service, task: null, atMs, durationMs }]
  }
  const tasks = chooseTasks(db, target, experiment.muster.leave_healthy, seed, taken)
  if (isRefusal(tasks)) return tasks
  return tasks.map((task) => ({
    action,
    fault,
    backend,
    service: task.service,
    atMs,
    durationMs,
    task: { id: task.id, name: task.task, incarnation: task.incarnation, node: task.node },
  }))
}

/** The cap in force on users: in production half a percent unless the file says less, elsewhere everybody. */
export function usersMaxOf(experiment: Experiment): number {
  const isProd = experiment.muster.environment === 'prod'
  return experiment.muster.users ?? (isProd ? PROD.usersDefaultPpm : 1_000_000)
}

function radiusOf(db: ReadDb, experiment: Experiment, faults: readonly PlannedFault[], services: readonly string[]): Radius | MusterError {
  const { muster } = experiment
  const targets = new Set(faults.flatMap(({ task }) => (task === null ? [] : [task.id])))
  const serving =
    [...new Map(services.flatMap((service) => tasksBySelector(db, { service }).filter(isServing)).map((task) => [task.id, task])).values()]
      .length || targets.size
  const cap = muster.tasks ?? { ppm: TASKS_DEFAULT_PPM }
  const tasksMax = 'count' in cap ? cap.count : Math.max(1, Math.floor((serving * cap.ppm) / 1_000_000))
  const usersMaxPpm = usersMaxOf(experiment)
  const usersPpm = Math.min(1_000_000, Math.round(usersShare(experiment, faults, targets.size, serving)))
  const radius: Radius = { tasks: targets.size, tasksMax, serving, usersPpm, usersMaxPpm }
  const over: string[] = []
  if (radius.tasks > tasksMax) over.push(`${radius.tasks} tasks, the cap is ${tasksMax} (muster.tasks)`)
  if (radius.tasks * 1_000_000 > serving * TASKS_LIMIT_PPM)
    over.push(`${radius.tasks} of ${serving} tasks; more than half is never allowed`)
  if (usersPpm > usersMaxPpm) over.push(`${formatShare(usersPpm)} of users, the cap is ${formatShare(usersMaxPpm)} (muster.users)`)
  if (muster.environment === 'prod' && usersMaxPpm > PROD.usersLimitPpm)
    over.push(`a cap of ${formatShare(usersMaxPpm)} of users; in prod at most ${formatShare(PROD.usersLimitPpm)}`)
  return over.length === 0 ? radius : refuse('CHAOS_RADIUS', over.join('; '), { details: radius })
}

/** Share of users that may feel it, in ppm. Broken tasks count until the mesh has noticed, rules on users for as long as they last. */
function usersShare(experiment: Experiment, faults: readonly PlannedFault[], tasks: number, serving: number): number {
  const longestMs = Math.max(...faults.map(({ durationMs }) => durationMs))
  const byTasks = serving === 0 ? 0 : (tasks / serving) * 1_000_000 * Math.min(1, NOTICED_MS / Math.max(1, longestMs))
  const byRules = experiment.method
    .map(({ provider }) => ('share' in provider.arguments ? provider.arguments.share : 0))
    .reduce((sum, share) => sum + share, 0)
  return byTasks + byRules
}
