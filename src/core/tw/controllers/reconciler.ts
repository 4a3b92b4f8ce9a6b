import type { Controller } from '../../contracts/controller.ts'
import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { must } from '../../kernel/assert.ts'
import { opEntries } from '../ops/op-entries.ts'
import { stopTask, tasksPlaced, tasksRejected } from '../entries/tasks.ts'
import { groupRows, groupSpecOf, specOf, type JobRow } from '../rows.ts'
import { imageOf } from '../scheduler/fleet.ts'
import type { Placement } from '../scheduler/planner.ts'
import type { TwSoft } from '../soft.ts'
import { loadByName } from '../tasks/load.ts'
import { packRecords } from '../tasks/records.ts'
import { fleetFacts, groupView } from './group-view.ts'
import { reconcileGroup, type GroupDecision } from './reconcile-group.ts'
import { earliest } from './wake.ts'

/** Records in one `TasksPlaced`; what is over waits for the next round, so one huge job starves nobody. */
const PLACED_MAX = 1000

/** So many are placed by name, so that the log can be read; of more each is 16 bytes. */
const NAMED_MAX = 50

/** Desired against actual, for every group of every job, by priority and then by name. */
export const reconciler: Controller<TwSoft> = {
  name: 'tw.reconcile',
  wakes: ['tw.'],
  decide: (db, now) => {
    const entries: Proposal[] = rejections(db)
    const wakes: (number | null)[] = []
    for (const { job, group, decision } of decisions(db, now)) {
      for (const { ids, cause } of decision.stop) entries.push(stopTask.of({ ids, cause }))
      entries.push(...opEntries(job, group, decision.ops))
      for (const { version, tasks } of decision.place) entries.push(placedOf(db, job, group, version, tasks.slice(0, PLACED_MAX)))
      wakes.push(decision.wakeAt)
    }
    return { entries, wakeAt: earliest(wakes) }
  },
}

function placedOf(db: ReadDb, job: string, group: string, version: number, tasks: readonly Placement[]): Proposal {
  const head = { job, group, version }
  if (tasks.length <= NAMED_MAX) {
    const named = tasks.map(({ devices, ...task }) => (devices === 0 ? task : { ...task, devices }))
    return tasksPlaced.of({ ...head, tasks: named })
  }
  const gpuMilli = tasks.some(({ devices }) => devices !== 0)
    ? (groupSpecOf(specOf(db, job, version), group)?.container.gpu?.shareMilli ?? 0)
    : 0
  const records = tasks.map(({ index, node, devices }) => ({
    index,
    node: must(loadByName(db, node), node).id,
    gpuMask: devices,
    gpuMilli,
  }))
  return tasksPlaced.of({ ...head, count: records.length, records: packRecords(records), why: tasks[0]?.why ?? '' })
}

/** The decision about every group on the state as it is; also what `tw explain` tells. */
export function decisions(db: ReadDb, now: number): { job: string; group: string; decision: GroupDecision }[] {
  const image = imageOf(db)
  const facts = fleetFacts(db)
  const jobs = db.all<JobRow>('SELECT * FROM tw_job ORDER BY priority DESC, name')
  return jobs.flatMap((job) =>
    groupRows(db, job.name).map((group) => ({
      job: job.name,
      group: group.name,
      decision: reconcileGroup(groupView(db, job, group, facts, now), image, now),
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
