import type { Entry } from '../../src/core/contracts/entry.ts'
import type { ReadDb } from '../../src/core/contracts/storage.ts'
import { amountOf, type GroupSpec } from '../../src/core/tw/job-spec.ts'
import { armRows, groupSpecOf, isReady, jobRow, specOf, taskName, type NodeRow, type TaskRow } from '../../src/core/tw/rows.ts'
import { liveTasks, taskRow } from '../../src/core/tw/tasks/read.ts'
import { awayTasks } from '../../src/core/tw/tasks/away.ts'
import { openOps, type OpRow } from '../../src/core/tw/ops/op-row.ts'
import { massLossMax } from '../../src/core/tw/nodes/loss.ts'
import { Violation } from '../violation.ts'
import { nodeHolds, portIsFree } from './capacity.ts'
import type { Machine, Process } from './machine.ts'
import { mayBeMaintained } from './staff.ts'
import type { TwWorld } from './world.ts'

/** Silent for less than this, a node is not lost, whatever clocks say, ms. */
const SILENT_MS_MIN = 9000
/** The mass-loss guard looks at nodes that fell silent within so long, ms. */
const MASS_LOSS_MS = 30_000
/** So many peers say of a node that they do not reach it, before it counts as gone. */
const PEERS_MIN = 2

/** Of these entries it matters what the tasks were before them. */
const LOOKED_AT: ReadonlySet<string> = new Set(['tw.StopTask', 'tw.OpsProposed', 'tw.OpAllowed', 'tw.TasksReported'])

type Bodies = {
  'tw.TasksPlaced': { job: string; group: string; version: number; tasks: { index: number; node: string }[] }
  'tw.NodeLost': { node: string }
  'tw.DrainFinished': { node: string; isComplete: boolean }
  'tw.MaintenanceStarted': { maintenance: number; node: string }
}

/** What is looked at from outside, after every entry and every start of a process, with the eyes of nobody in the fleet. */
export class Checks {
  readonly #world: TwWorld
  /** tasks of the entry that is about to be applied, as they are before it */
  #before: TaskRow[] = []
  /** time each node was last heard by the server that leads, true time in ms */
  readonly heardAt = new Map<string, number>()
  /** when nodes were given up each on its own, log time in ms */
  readonly #lostAt = new Map<string, number>()
  /** by task: when the newest report that changed it was made, true time in ms */
  readonly #reportedAt = new Map<number, number>()
  #report: { madeAt: number } | null = null
  /** processes that live, by task */
  readonly #alive = new Map<number, Process>()
  /** starts so far: `TASK/INCARNATION/ATTEMPT` */
  readonly #starts = new Set<string>()
  placed = 0
  lost = 0

  constructor(world: TwWorld) {
    this.#world = world
  }

  /** An entry is about to be applied. */
  before(entry: Entry, db: ReadDb): void {
    this.#before = LOOKED_AT.has(entry.type) ? tasksOf(entry, db) : []
  }

  /** It was. */
  applied(entry: Entry, db: ReadDb): void {
    switch (entry.type) {
      case 'tw.TasksPlaced':
        this.#placed(entry as Entry<Bodies['tw.TasksPlaced']>, db)
        break
      case 'tw.StopTask':
      case 'tw.OpsProposed':
      case 'tw.OpAllowed':
        this.#budget(entry, db)
        this.#leaderLast(entry, db)
        break
      case 'tw.NodeLost':
        this.#lost(entry as Entry<Bodies['tw.NodeLost']>, db)
        break
      case 'tw.TasksReported':
        this.#changed(db)
        break
      case 'tw.DrainFinished':
        this.#drained(entry as Entry<Bodies['tw.DrainFinished']>, db)
        break
      case 'tw.MaintenanceStarted':
        mayBeMaintained(db, (entry as Entry<Bodies['tw.MaintenanceStarted']>).body, entry.at)
        break
      default:
    }
  }

  /** A report made then is about to be concluded. */
  reported(madeAt: number): void {
    this.#report = { madeAt }
  }

  started(machine: Machine, process: Process): void {
    const key = `${process.task}/${process.incarnation}/${process.attempt}`
    if (this.#starts.has(key)) throw new Violation(`once: ${process.name} #${key} is started again on ${machine.name}`)
    this.#starts.add(key)
    const other = this.#alive.get(process.task)
    if (other !== undefined)
      throw new Violation(
        `once: ${process.name} #${process.task} runs as pid ${other.pid} and is started as pid ${process.pid} on ${machine.name}`,
      )
    this.#alive.set(process.task, process)
  }

  ended(_machine: Machine, process: Process): void {
    this.#alive.delete(process.task)
  }

  /** I2, I3, I4, I6, I10: what a placement may not break. */
  #placed({ body, at, position }: Entry<Bodies['tw.TasksPlaced']>, db: ReadDb): void {
    const { job, group, version } = body
    const rows = liveTasks(db, job, group)
    const fresh = rows.filter((task) => task.placed_position === position)
    this.placed += fresh.length
    if (fresh.length === 0) return
    const where = `at ${position}`
    if (jobRow(db, job)?.state !== 'running') throw new Violation(`stopped: ${job} is stopped and gets tasks ${where}`)
    for (const node of new Set(fresh.map((task) => task.node))) nodeHolds(db, node, where)
    const indexes = rows.map((task) => task.idx)
    const doubled = indexes.find((index, i) => indexes.indexOf(index) !== i)
    if (doubled !== undefined) throw new Violation(`index: ${job}/${group}[${doubled}] lives twice ${where}`)
    const spec = groupSpecOf(specOf(db, job, version), group)
    if (spec === undefined) throw new Violation(`spec: ${job}/${group} has no version ${version} and gets tasks ${where}`)
    for (const task of fresh) portIsFree(db, task, where)
    if (this.#world.hasSecondPlanner) return
    const { total, surgeMax } = boundsOf(db, job, group)
    // Whoever is unknown, or came back from it, may be there beside its replacement; each is there once, so a group is at most doubled.
    const away = awayTasks(db, job, group)
    const wanted = rows.filter((task) => task.want === 'run' && !away.has(task.id)).length
    if (wanted > total + surgeMax)
      throw new Violation(`count: ${job}/${group} has ${wanted} tasks, more than ${total} and ${surgeMax} of surge, ${where}`)
    for (const task of fresh) backedOff(db, task, spec, at, where)
  }

  /**
   * I1: an available task is stopped or restarted by plan only while enough others stay available; unless an operator or a deadline says so,
   * which is an entry of its own.
   */
  #budget({ type, at, position, actor }: Entry, db: ReadDb): void {
    if (type === 'tw.StopTask' && !actor.startsWith('controller:tw.reconcile')) return
    const gone = this.#before.filter((task) => isAvailable(db, task, at)).filter((task) => !isAvailable(db, taskRow(db, task.id), at))
    for (const [key, tasks] of Map.groupBy(gone, (task) => `${task.job}/${task.grp}`)) {
      const [first] = tasks
      if (first === undefined || !isService(db, first.job)) continue
      const { total, unavailableMax } = boundsOf(db, first.job, first.grp)
      const left = liveTasks(db, first.job, first.grp).filter((task) => isAvailable(db, task, at)).length
      if (left < total - unavailableMax)
        throw new Violation(
          `budget: ${tasks.map(taskName).join(', ')} end at ${position} while ${left} of ${total} tasks of ${key} are left and ${unavailableMax} may be missing`,
        )
    }
  }

  /** The last in the order that an application gave goes when no other is on its way. */
  #leaderLast({ type, at, position, body }: Entry, db: ReadDb): void {
    const { job, group } = body as { job?: string; group?: string }
    if (type === 'tw.StopTask' || job === undefined || group === undefined) return
    const version = armRows(db, job, group).find(({ count }) => count > 0)?.version
    if (version === undefined || groupSpecOf(specOf(db, job, version), group)?.order !== 'leader-last') return
    const ops = openOps(db, job, group)
    const last = ops.reduce((most, op) => Math.max(most, op.rank ?? -1), -1)
    // Whoever does not serve asks nobody, and so has no place in the order.
    const isServing = ({ task }: OpRow): boolean => this.#before.some((it) => it.id === task && isReady(it))
    const leader = ops.find(
      (op) => op.rank === last && op.state === 'allowed' && op.decided_at === at && op.is_forced === 0 && isServing(op),
    )
    const other = ops.find((op) => op !== leader && op.rank !== null)
    if (last >= 0 && leader !== undefined && other !== undefined)
      throw new Violation(`leader: ${leader.name} goes at ${position} while ${other.name} has not gone yet`)
  }

  /** A node is given up only when it was silent for long enough, and never too many together. */
  #lost({ body, at, position }: Entry<Bodies['tw.NodeLost']>, db: ReadDb): void {
    const { now } = this.#world.queue
    this.lost += 1
    const silentMs = now - (this.heardAt.get(body.node) ?? -Infinity)
    if (silentMs < SILENT_MS_MIN) throw new Violation(`loss: ${body.node} is given up at ${position}, heard ${Math.round(silentMs)} ms ago`)
    this.#lostAt.set(body.node, at)
    const rows = db.all<Pick<NodeRow, 'name' | 'state'>>('SELECT name, state FROM tw_node')
    const looks = this.#world.leader?.hub.soft().looks
    // Of whom its peers said so it is not the server's word alone.
    const isBelieved = (name: string): boolean => (looks?.get(name)?.failed ?? 0) < PEERS_MIN
    const isLate = (name: string): boolean => at - (this.#lostAt.get(name) ?? -Infinity) < MASS_LOSS_MS
    const together = rows.filter(({ name, state }) => state === 'lost' && isLate(name) && isBelieved(name)).length
    if (together > massLossMax(rows.length))
      throw new Violation(`mass loss: ${together} of ${rows.length} nodes are given up within 30 s, lately ${body.node} at ${position}`)
  }

  /** What has ended has ended; and a report that was made before another changes nothing that the later one said. */
  #changed(db: ReadDb): void {
    const report = this.#report
    this.#report = null
    for (const before of this.#before) {
      const after = taskRow(db, before.id)
      if (after === undefined) continue
      if (before.is_terminal === 1 && after.state !== before.state)
        throw new Violation(`final: ${taskName(before)} #${before.id} was ${before.state} and is ${after.state}`)
      if (report === null || !isReportedAnew(before, after)) continue
      const last = this.#reportedAt.get(before.id) ?? -Infinity
      if (report.madeAt < last)
        throw new Violation(
          `order: ${taskName(before)} #${before.id} was ${before.reported}, ${before.health} and becomes ${after.reported}, ${after.health} by a report ${Math.round(last - report.madeAt)} ms older`,
        )
      this.#reportedAt.set(before.id, report.madeAt)
    }
  }

  /** Complete is a drain when the processes are gone. */
  #drained({ body, position }: Entry<Bodies['tw.DrainFinished']>, db: ReadDb): void {
    if (!body.isComplete) return
    const machine = this.#world.machines.find(({ name }) => name === body.node)
    if (machine === undefined) return
    const drain = db.get<{ ignores_system: number }>('SELECT ignores_system FROM tw_drain WHERE node = ?', body.node)
    const stays = (name: string): boolean =>
      drain?.ignores_system === 1 && (jobRow(db, name.split('/')[0] ?? '')?.kind.startsWith('sys') ?? false)
    const left = [...machine.processes.values()].find(({ name, task }) => !stays(name) && !machine.liedAbout.has(task))
    if (left !== undefined) throw new Violation(`drain: ${body.node} is drained at ${position} and still runs ${left.name} #${left.task}`)
  }
}

/** The tasks an entry may change: those it names, or the whole group it is about. */
function tasksOf(entry: Entry, db: ReadDb): TaskRow[] {
  const body = entry.body as { ids?: number[]; tasks?: { id?: number }[]; id?: number; job?: string; group?: string }
  if (body.job !== undefined && body.group !== undefined) return liveTasks(db, body.job, body.group)
  const ids = body.ids ?? (body.tasks ?? []).flatMap(({ id }) => (id === undefined ? [] : [id]))
  return [...ids, ...(typeof body.id === 'number' ? [body.id] : [])].flatMap((id) => taskRow(db, id) ?? [])
}

function isReportedAnew(before: TaskRow, after: TaskRow): boolean {
  const keys = ['reported', 'health', 'pid', 'restarts'] as const
  return keys.some((key) => before[key] !== after[key])
}

/** I10: after failures a place comes only when the back-off is over. */
function backedOff(db: ReadDb, task: TaskRow, spec: GroupSpec, at: number, where: string): void {
  const failures = db.all<TaskRow>(
    "SELECT * FROM tw_task WHERE job = ? AND grp = ? AND idx = ? AND version = ? AND state = 'failed' AND ended_at > ?",
    task.job,
    task.grp,
    task.idx,
    task.version,
    at - 3_600_000,
  )
  if (failures.length === 0) return
  const { delayMs, factor, maxDelayMs } = spec.reschedule
  const dueAt = Math.max(...failures.map(({ ended_at }) => ended_at ?? 0)) + Math.min(maxDelayMs, delayMs * factor ** (failures.length - 1))
  if (at < dueAt) throw new Violation(`back-off: ${taskName(task)} is placed ${dueAt - at} ms too early ${where}`)
}

/** Its tasks serve, and do not run to an end. */
function isService(db: ReadDb, job: string): boolean {
  const kind = jobRow(db, job)?.kind
  return kind === 'service' || kind === 'system'
}

/** Serving, for as long as its version asks for. */
function isAvailable(db: ReadDb, task: TaskRow | undefined, at: number): boolean {
  if (task === undefined || task.want !== 'run' || !isReady(task) || task.healthy_since === null) return false
  const minHealthyMs = groupSpecOf(specOf(db, task.job, task.version), task.grp)?.minHealthyMs ?? 0
  return task.healthy_since + minHealthyMs <= at
}

/** What a group may have and miss, as its job file says it (amounts of a share: down for what may be missing, up for what may be added). */
function boundsOf(db: ReadDb, job: string, group: string): { total: number; unavailableMax: number; surgeMax: number } {
  const arms = armRows(db, job, group).filter(({ count }) => count > 0)
  const total = arms.reduce((sum, arm) => sum + arm.count, 0)
  const [first] = arms
  const spec = first === undefined ? undefined : groupSpecOf(specOf(db, job, first.version), group)
  if (spec === undefined) return { total, unavailableMax: total, surgeMax: 0 }
  const hasStatic = Object.values(spec.container.ports).some((port) => port > 0)
  const surgeMax = hasStatic ? 0 : amountOf(spec.maxSurge, total, 'up')
  const unavailable = amountOf(spec.maxUnavailable, total, 'down')
  return { total, surgeMax, unavailableMax: surgeMax === 0 ? Math.max(1, unavailable) : unavailable }
}
