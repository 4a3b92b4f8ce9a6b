import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { isSystem } from '../controllers/drainer.ts'
import { fleetFacts, type FleetFacts } from '../controllers/group-view.ts'
import { nodesFor } from '../controllers/per-node.ts'
import { preemptionsFor } from '../controllers/preemptor.ts'
import { reconcileGroup, type GroupDecision, type GroupView } from '../controllers/reconcile-group.ts'
import type { GroupSpec, JobSpec } from '../job-spec.ts'
import { armRows, groupSpecOf, jobRow, specOf, taskName, versionRow, type ArmRow } from '../rows.ts'
import { imageOf } from '../scheduler/fleet.ts'
import type { FleetImage } from '../scheduler/image.ts'
import { liveTasks } from '../tasks/read.ts'
import { unmetAfter } from '../views/after.ts'

/** What a run would do to one group in its first round: what is started before anything old is stopped. */
export interface PlannedGroup {
  spec: GroupSpec
  action: 'start' | 'replace' | 'in-place' | 'none' | 'scale' | 'stop'
  count: number
  running: number
  decision: GroupDecision
  /** tasks that would have to make room, by the task they make room for */
  preempted: { task: string; victims: string[] }[]
}

/** Room of the open nodes once the planned tasks are there. */
export interface Room {
  cpuMilli: number
  cpuMilliFree: number
  memoryBytes: number
  memoryBytesFree: number
}

/**
 * Plans a version that does not exist yet, on the state as it is.
 * @param entries what the run would log: how many tasks of which version each group wants
 */
export function planJob(db: ReadDb, spec: JobSpec, entries: readonly Proposal[], now: number): { groups: PlannedGroup[]; room: Room } {
  const image = imageOf(db)
  const facts = fleetFacts(db, image)
  return image.attempt(() => {
    const groups = spec.groups.map((group) => planGroup(db, spec, group, entries, facts, now))
    return { groups, room: roomOf(image) }
  })
}

function planGroup(
  db: ReadDb,
  spec: JobSpec,
  group: GroupSpec,
  entries: readonly Proposal[],
  facts: FleetFacts,
  now: number,
): PlannedGroup {
  const job = jobRow(db, spec.job)
  const next = (job?.last_version ?? 0) + 1
  const live = job ? liveTasks(db, spec.job, group.name) : []
  const before = job ? armRows(db, spec.job, group.name).find((arm) => arm.arm === 'primary') : undefined
  const arms = armsOf(db, spec, group, entries, facts)
  const isUnchanged = entries.length === 0
  const isInPlace = !isUnchanged && before !== undefined && arms.length === 1 && isSameProcess(db, spec.job, before.version, null, group)
  const specs = new Map<number, GroupSpec>([[next, group]])
  for (const version of new Set([...arms.map((arm) => arm.version), ...live.map((task) => task.version)])) {
    const kept = version === next || !job ? undefined : groupSpecOf(specOf(db, spec.job, version), group.name)
    if (kept) specs.set(version, kept)
  }
  const waits = group.after.length === 0 || live.length > 0 ? [] : unmetAfter(db, spec.job, group, next)
  const view: GroupView = {
    job: { name: spec.job, kind: spec.kind },
    group: group.name,
    arms: arms.filter((arm) => arm.count > 0),
    specs,
    live: isInPlace ? live.map((task) => (task.version === before.version ? { ...task, version: next } : task)) : live,
    ended: [],
    ops: [],
    opTasks: new Map(),
    leaving: new Set(),
    ...facts,
    entitlementOf: () => spec.entitlement,
    rejectedAt: null,
    retriedAt: null,
    waits: new Map(waits.length === 0 ? [] : [[next, waits]]),
    barred: new Set(),
  }
  const decision = reconcileGroup(view, facts.image, now)
  const count = arms.reduce((sum, arm) => sum + arm.count, 0)
  const preemptions = decision.blocked.flatMap((blocked) =>
    group.preempts ? preemptionsFor(db, facts.image, spec.priority, blocked.request) : [],
  )
  return {
    spec: group,
    action: actionOf(live.length > 0, isUnchanged, isInPlace, before?.count === count),
    count,
    running: live.filter((task) => task.want === 'run').length,
    decision,
    preempted: preemptions.map(({ index, victims }) => ({
      task: taskName({ job: spec.job, grp: group.name, idx: index }),
      victims: victims.flatMap(({ id }) => {
        const row = db.get<{ task: string }>('SELECT task FROM tw_task WHERE id = ?', id)
        return row ? [row.task] : []
      }),
    })),
  }
}

/** What the group would want: by the entries, else as it is; of one task per node, the nodes say it. */
function armsOf(db: ReadDb, spec: JobSpec, group: GroupSpec, entries: readonly Proposal[], facts: FleetFacts): ArmRow[] {
  const target = entries
    .filter((entry) => entry.type === 'tw.UpdateTargetSet')
    .map((entry) => entry.body as { group: string; arms: Pick<ArmRow, 'arm' | 'version' | 'count'>[] })
    .find((body) => body.group === group.name)
  const arms = target?.arms.map((arm) => ({ ...arm, job: spec.job, grp: group.name })) ?? armRows(db, spec.job, group.name)
  if (!isSystem(spec.kind)) return arms
  const count = nodesFor(db, { name: spec.job, kind: spec.kind }, group, facts)
  return arms.map((arm) => (arm.arm === 'primary' ? { ...arm, count } : arm))
}

/** Whether a group's tasks of a kept version are, as processes, those of the new one: then nothing is replaced. */
export function isSameProcess(db: ReadDb, job: string, from: number, release: string | null, group: GroupSpec): boolean {
  const row = versionRow(db, job, from)
  const before = row && groupSpecOf(specOf(db, job, from), group.name)
  return before !== undefined && row?.release === release && canonicalJson(before.container) === canonicalJson(group.container)
}

function actionOf(isLive: boolean, isUnchanged: boolean, isInPlace: boolean, isSameCount: boolean): PlannedGroup['action'] {
  if (!isLive) return 'start'
  if (!isUnchanged && !isInPlace) return 'replace'
  if (!isSameCount) return 'scale'
  return isUnchanged ? 'none' : 'in-place'
}

function roomOf(image: FleetImage): Room {
  const room: Room = { cpuMilli: 0, cpuMilliFree: 0, memoryBytes: 0, memoryBytesFree: 0 }
  for (let place = 0; place < image.size; place += 1) {
    const node = image.order[place] ?? 0
    if (image.closedOf(node) !== null) continue
    room.cpuMilli += image.cpuTotal[node] ?? 0
    room.cpuMilliFree += image.cpuFree[node] ?? 0
    room.memoryBytes += image.memoryTotal[node] ?? 0
    room.memoryBytesFree += image.memoryFree[node] ?? 0
  }
  return room
}
