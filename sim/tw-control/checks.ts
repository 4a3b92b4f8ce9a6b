import type { Entry } from '../../src/core/contracts/entry.ts'
import type { ReadDb } from '../../src/core/contracts/storage.ts'
import { amountOf, type GroupSpec } from '../../src/core/tw/job-spec.ts'
import { domainOf } from '../../src/core/tw/maintenance/domain.ts'
import { isUnderWay, openMaintenance, workRows } from '../../src/core/tw/maintenance/rows.ts'
import { openOps } from '../../src/core/tw/ops/op-row.ts'
import {
  armRows,
  fromJson,
  groupSpecOf,
  isReady,
  jobRow,
  nodeRow,
  specOf,
  taskName,
  type NodeUseRow,
  type TaskRow,
} from '../../src/core/tw/rows.ts'
import { liveTasks } from '../../src/core/tw/tasks/read.ts'
import { Violation } from '../violation.ts'

/** Entries that make a task stop serving because somebody planned it. */
const PLANNED = new Set(['tw.OpsProposed', 'tw.OpAllowed', 'tw.StopTask', 'tw.StartTask'])

interface Body {
  job?: string
  group?: string
  version?: number
  ids?: number[]
}

type LeaderOf = (job: string, group: string) => number | undefined

/** Looks at the state before and after each entry, by counting of its own. */
export class Checks {
  readonly #db: () => ReadDb
  readonly #leaderOf: LeaderOf
  readonly #groups: readonly [string, string][]
  #before = new Map<string, { available: ReadonlySet<number>; leader: number | undefined }>()
  carriedOut = 0
  forced = 0

  constructor(db: () => ReadDb, groups: readonly [string, string][], leaderOf: LeaderOf) {
    this.#db = db
    this.#groups = groups
    this.#leaderOf = leaderOf
  }

  before(entry: Entry): void {
    this.#before.clear()
    if (!PLANNED.has(entry.type)) return
    for (const [job, group] of this.#groups) {
      if ((entry.body as Body).job !== undefined && (entry.body as Body).job !== job) continue
      const stand = standOf(this.#db(), job, group, entry.at)
      this.#before.set(`${job}/${group}`, { available: stand.available, leader: this.#leaderOf(job, group) })
    }
  }

  after(entry: Entry): void {
    const db = this.#db()
    if (entry.type === 'tw.OpForced') this.forced += 1
    if (entry.type === 'tw.TasksPlaced') this.#placed(entry)
    if (entry.type === 'tw.MaintenanceStarted') this.#oneDomain(entry)
    for (const [job, group] of this.#groups) {
      const before = this.#before.get(`${job}/${group}`)
      if (!before) continue
      const stand = standOf(db, job, group, entry.at)
      const gone = [...before.available].filter((id) => !stand.available.has(id))
      this.carriedOut += gone.length
      if (gone.length > 0) this.#budget(entry, stand, `${job}/${group}`)
      const leader = stand.live.find((task) => task.id === before.leader)
      if (stand.asks && leader !== undefined && before.available.has(leader.id) && leader.want === 'stop')
        this.#leaderLast(entry, db, stand, leader)
    }
  }

  /** I1. A group that no arm wants any more has no budget to keep. */
  #budget(entry: Entry, stand: Stand, name: string): void {
    if (stand.total === 0) return
    const where = `by ${entry.type} at ${entry.position}`
    if (entry.type === 'tw.StopTask' || entry.type === 'tw.StartTask')
      throw new Violation(`I1: a serving task of ${name} is stopped ${where}, not by an op`)
    const missing = stand.total - stand.available.size
    if (missing > stand.unavailableMax)
      throw new Violation(`I1: ${name} has ${missing} of ${stand.total} unavailable, at most ${stand.unavailableMax} may be, ${where}`)
  }

  #leaderLast(entry: Entry, db: ReadDb, stand: Stand, leader: TaskRow): void {
    const others = openOps(db, leader.job, leader.grp).filter((op) => {
      const task = stand.live.find((it) => it.id === op.task)
      return op.task !== leader.id && task !== undefined && ((op.state === 'proposed' && isReady(task)) || op.state === 'allowed')
    })
    if (others.length === 0 || stand.total === 0) return
    throw new Violation(`leader last: ${taskName(leader)} goes before ${others.map((op) => op.name).join(', ')} at ${entry.position}`)
  }

  /** Nodes that are worked on at once are of one domain, at the level of each maintenance. */
  #oneDomain(entry: Entry): void {
    const db = this.#db()
    const all = openMaintenance(db).flatMap((row) => workRows(db, row.id).flatMap((work) => (isUnderWay(work) ? [{ row, work }] : [])))
    for (const { row } of all) {
      const domains = new Set(all.map(({ work }) => domainOf(db, work.node, row.level)))
      if (domains.size > 1) throw new Violation(`domains: ${[...domains].join(' and ')} are worked on at once at ${entry.position}`)
      const own = all.filter((it) => it.row.id === row.id)
      if (own.length > row.max_concurrent)
        throw new Violation(`domains: maintenance ${row.id} has ${own.length} nodes at once at ${entry.position}`)
    }
  }

  /** I2, I3, I4, I7. */
  #placed(entry: Entry): void {
    const db = this.#db()
    const { job = '', group = '', version = 0 } = entry.body as Body
    const where = `at ${entry.position}`
    const stand = standOf(db, job, group, entry.at)
    const fresh = stand.live.filter((task) => task.placed_position === entry.position)
    if (fresh.length === 0) return
    if (jobRow(db, job)?.state !== 'running') throw new Violation(`I4: ${job} is stopped and gets tasks ${where}`)
    const wanted = stand.live.filter((task) => task.want === 'run').length
    if (wanted > stand.total + stand.surgeMax)
      throw new Violation(`I3: ${job}/${group} has ${wanted} tasks, more than ${stand.total} and ${stand.surgeMax} of surge, ${where}`)
    for (const node of new Set(fresh.map((task) => task.node))) {
      const use = db.get<NodeUseRow>('SELECT * FROM tw_node_use WHERE node = ?', node)
      if ((use?.cpu_milli ?? 0) > (nodeRow(db, node)?.cpu_milli ?? 0)) throw new Violation(`I2: ${node} holds more than it has ${where}`)
      const onNode = this.#groups.flatMap(([j, g]) => liveTasks(db, j, g)).filter((task) => task.node === node)
      const ports = onNode.flatMap((task) => fromJson<number[]>(task.static_ports))
      if (new Set(ports).size < ports.length) throw new Violation(`I7: two tasks hold one static port on ${node} ${where}`)
      const max = groupSpecOf(specOf(db, job, version), group)?.distinct.find((it) => it.attribute === 'node')?.max ?? Infinity
      if (stand.live.filter((task) => task.node === node).length > max)
        throw new Violation(`I7: more than ${max} of ${job}/${group} on ${node} ${where}`)
    }
  }
}

interface Stand {
  spec: GroupSpec | undefined
  live: TaskRow[]
  available: ReadonlySet<number>
  total: number
  unavailableMax: number
  surgeMax: number
  asks: boolean
}

/** The brief's words, counted anew: available is running, healthy for `min_healthy_time`, and not asked to stop. */
function standOf(db: ReadDb, job: string, group: string, at: number): Stand {
  const arms = armRows(db, job, group).filter((arm) => arm.count > 0)
  const total = arms.reduce((sum, arm) => sum + arm.count, 0)
  const version = arms[0]?.version
  const spec = version === undefined ? undefined : groupSpecOf(specOf(db, job, version), group)
  const live = liveTasks(db, job, group)
  const minHealthyOf = new Map<number, number>()
  const available = live.filter((task) => {
    if (task.want !== 'run' || task.state !== 'running' || task.health !== 'healthy' || task.healthy_since === null) return false
    let wait = minHealthyOf.get(task.version)
    if (wait === undefined) minHealthyOf.set(task.version, (wait = groupSpecOf(specOf(db, job, task.version), group)?.minHealthyMs ?? 0))
    return task.healthy_since + wait <= at
  })
  const isSingle = spec !== undefined && Object.values(spec.container.ports).some((port) => port > 0)
  const surgeMax = spec === undefined || isSingle ? 0 : amountOf(spec.maxSurge, total, 'up')
  const share = spec === undefined ? total : amountOf(spec.maxUnavailable, total, 'down')
  return {
    ...{ spec, live, total, surgeMax },
    available: new Set(available.map((task) => task.id)),
    unavailableMax: surgeMax === 0 ? Math.max(1, share) : share,
    asks: spec !== undefined && spec.consent.kind !== 'none',
  }
}
