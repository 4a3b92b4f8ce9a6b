import type { Controller } from '../../contracts/controller.ts'
import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { stopTask, tasksPlaced, tasksRejected } from '../entries/tasks.ts'
import { opEntries } from '../ops/op-entries.ts'
import type { GroupSpec } from '../job-spec.ts'
import { groupRow, groupRows, groupSpecOf, jobRow, specOf, type GroupRow, type JobRow } from '../rows.ts'
import { demandOf } from '../scheduler/demand.ts'
import { imageOf } from '../scheduler/fleet.ts'
import type { FleetImage } from '../scheduler/image.ts'
import { WORDED_MAX, type Placement } from '../scheduler/planner.ts'
import type { Preemption } from '../scheduler/preempt.ts'
import type { TwSoft } from '../soft.ts'
import { packRecords } from '../tasks/records.ts'
import { tallyOf } from '../tasks/tally.ts'
import { NOTHING_WAITS, type FleetCache, type GroupKey, type Waiting } from './fleet-cache.ts'
import { fleetFacts, groupView, type FleetFacts } from './group-view.ts'
import { preemptEntries, preemptionsFor } from './preemptor.ts'
import { reconcileGroup, type GroupDecision } from './reconcile-group.ts'
import { settledOf } from './settled.ts'
import { waitingReasons } from './waiting.ts'
import { earliest } from './wake.ts'

/** Records in one `TasksPlaced`; what is over waits behind the other groups of its band, so one huge job starves nobody. */
const PLACED_MAX = 1000
/** Bounds of one decision, which holds everybody else up: tasks it places, and tasks it looks at. */
const DECISION_PLACED_MAX = 5000
const DECISION_LOOKED_MAX = 20_000

/**
 * Desired against actual, by priority and then in turn. With the server's {@link FleetCache} only groups that something
 * happened to are looked at; without it all are.
 */
export const reconciler: Controller<TwSoft> = {
  name: 'tw.reconcile',
  wakes: ['tw.'],
  decide: (db, now, soft) => {
    if (soft.cache) return decideDue(db, now, soft.cache, soft.position?.() ?? 0)
    const entries: Proposal[] = rejections(db)
    const wakes: (number | null)[] = []
    for (const { job, group, decision } of decisions(db, imageOf(db), now, { placedMax: PLACED_MAX })) {
      entries.push(...entriesOf(db, { job, group }, decision, now))
      wakes.push(decision.wakeAt)
    }
    return { entries, wakeAt: earliest(wakes) }
  },
}

function decideDue(db: ReadDb, now: number, cache: FleetCache, position: number): { entries: Proposal[]; wakeAt: number | null } {
  const image = cache.image(db, position)
  const facts = fleetFacts(db, image)
  const entries: Proposal[] = rejections(db)
  let isMore = false
  // What is placed here is taken off the image again: the entries, once applied, count.
  image.attempt(() => {
    let placed = 0
    let looked = 0
    for (const { key, look, isQuiet } of cache.groups(db, now)) {
      if (placed >= DECISION_PLACED_MAX || looked >= DECISION_LOOKED_MAX) {
        isMore = true
        return
      }
      const settled = look === 'check' ? settledOf(db, key) : null
      if (settled !== null && (isQuiet || settled.isFresh)) {
        const deadline = settled.healthyDeadlineMs === null || settled.isReady ? null : now + settled.healthyDeadlineMs
        cache.settled(key, deadline)
        continue
      }
      const decision = lookAt(db, key, facts, image, now)
      looked += 10 + sum(tallyOf(db, key.job, key.group), (tally) => tally.active)
      if (decision === null) {
        cache.done(key, null, NOTHING_WAITS, false)
        continue
      }
      const own = entriesOf(db, key, decision, now)
      entries.push(...own)
      placed += sum(decision.place, ({ tasks }) => tasks.length)
      if (own.length > 0) {
        const placesAlone = own.every((entry) => entry.type === tasksPlaced.type)
        cache.later(key, decision.wakeAt, placesAlone)
      } else {
        const isQuiet = decision.blocked.length === 0 && decision.overQuota.length === 0
        const claims = decision.overQuota.map(({ claim }) => claim)
        const reasons = waitingReasons(decision).map(({ indexes, code, why }) => ({ count: indexes.length, code, why }))
        cache.done(key, decision.wakeAt, { ...lackOf(db, key, decision), claims, reasons }, isQuiet)
      }
    }
  })
  return { entries, wakeAt: isMore ? now : earliest([cache.wakeAt()]) }
}

/** A decision about a group, and who has to make room for what it finds no place for. */
type Decision = GroupDecision & { preemptions: Preemption[] }

function lookAt(db: ReadDb, { job, group }: GroupKey, facts: FleetFacts, image: FleetImage, now: number): Decision | null {
  const [of, row] = [jobRow(db, job), groupRow(db, job, group)]
  return of && row ? decideGroup(db, of, row, facts, image, now, PLACED_MAX) : null
}

function decideGroup(
  db: ReadDb,
  job: JobRow,
  group: GroupRow,
  facts: FleetFacts,
  image: FleetImage,
  now: number,
  placedMax: number,
): Decision {
  const decision = reconcileGroup(groupView(db, job, group, facts, now), image, now, placedMax)
  const wanting = decision.blocked.filter(({ request }) => request.group.preempts)
  return { ...decision, preemptions: wanting.flatMap(({ request }) => preemptionsFor(db, image, job.priority, request)) }
}

/** What one more task takes of each version that lacks room, whether its owner may place it or not. */
function lackOf(db: ReadDb, { job, group }: GroupKey, decision: GroupDecision): Pick<Waiting, 'demands' | 'keepsShare'> {
  const lacking = [...decision.blocked, ...decision.overQuota.filter(({ filters }) => filters !== null)]
  const specs = lacking.flatMap(({ version }) => groupSpecOf(specOf(db, job, version), group) ?? [])
  return { demands: specs.map(demandOf), keepsShare: specs.some(({ spread }) => spread.some(({ isHard }) => isHard)) }
}

function entriesOf(db: ReadDb, { job, group }: GroupKey, decision: Decision, now: number): Proposal[] {
  return [
    ...decision.stop.map(({ ids, cause }) => stopTask.of({ ids, cause })),
    ...opEntries(job, group, decision.ops),
    ...decision.place.map(({ version, tasks }) => placedOf(db, { job, group, version }, null, tasks)),
    ...preemptEntries(job, group, decision.preemptions, now),
  ]
}

/** The entry that places tasks of a group. `spec`: of the version, when it is not kept yet. */
export function placedOf(
  db: ReadDb,
  head: { job: string; group: string; version: number },
  spec: GroupSpec | null,
  tasks: readonly Placement[],
): Proposal {
  // Few by name, so that the log can be read; of more each is 16 bytes.
  if (tasks.length <= WORDED_MAX) {
    const named = tasks.map(({ index, node, why, devices }) => ({ index, node, why, ...(devices === 0 ? {} : { devices }) }))
    return tasksPlaced.of({ ...head, tasks: named })
  }
  const hasDevices = tasks.some(({ devices }) => devices !== 0)
  const gpuMilli = hasDevices ? ((spec ?? groupSpecOf(specOf(db, head.job, head.version), head.group))?.container.gpu?.shareMilli ?? 0) : 0
  const records = tasks.map(({ index, nodeId, devices }) => ({ index, node: nodeId, gpuMask: devices, gpuMilli }))
  return tasksPlaced.of({ ...head, count: records.length, records: packRecords(records), why: tasks[0]?.why ?? '' })
}

export interface GroupDecided {
  job: string
  group: string
  decision: Decision
}

/**
 * The decision about every group on the state as it is; also what `tw explain` tells. Counts the image down.
 * @param only one job, as if no other waited for room
 */
export function decisions(
  db: ReadDb,
  image: FleetImage,
  now: number,
  { only = null, placedMax = Infinity }: { only?: string | null; placedMax?: number } = {},
): GroupDecided[] {
  const facts = fleetFacts(db, image)
  const jobs = db.all<JobRow>('SELECT * FROM tw_job WHERE ? IS NULL OR name = ? ORDER BY priority DESC, name', only, only)
  return jobs.flatMap((job) =>
    groupRows(db, job.name).map((group) => ({
      job: job.name,
      group: group.name,
      decision: decideGroup(db, job, group, facts, image, now, placedMax),
    })),
  )
}

function rejections(db: ReadDb): Proposal[] {
  const rows = db.all<{ position: number; job: string; grp: string; idx: number; node: string; reason: string }>(
    'SELECT * FROM tw_rejected ORDER BY position, idx',
  )
  const byPosition = Map.groupBy(rows, (row) => row.position)
  return [...byPosition].map(([position, records]) =>
    tasksRejected.of({
      position,
      job: records[0]?.job ?? '',
      group: records[0]?.grp ?? '',
      tasks: records.map((row) => ({ index: row.idx, node: row.node, reason: row.reason })),
    }),
  )
}

function sum<T>(list: readonly T[], of: (it: T) => number): number {
  return list.reduce((total, it) => total + of(it), 0)
}
