import { z } from 'zod'
import type { Proposal } from '../../contracts/entry.ts'
import { defineCommand, type Decision } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { isRefusal, type MusterError, refuse } from '../../kernel/errors.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { jobStopped, jobSubmitted, updateTargetSet } from '../entries/jobs.ts'
import { isSystem } from '../job-kind.ts'
import { updateStarted } from '../entries/updates.ts'
import { amountOf, type GroupSpec, type JobSpec } from '../job-spec.ts'
import { armRows, fromJson, groupRows, groupSpecOf, jobRow, specOf, versionRow } from '../rows.ts'
import { activeRuns, recurringRow } from '../runs/rows.ts'
import { isRecurring } from '../runs/run-spec.ts'
import { armsAt, isOpen, updateRow, updateRows } from '../updates/rows.ts'
import { placedOf } from '../controllers/reconciler.ts'
import { planOf, type GroupPlan, type Targets } from '../views/job-plan.ts'
import { onImage, type Asked } from '../soft.ts'
import type { FleetImage } from '../scheduler/image.ts'
import { jobStatus } from '../views/job-status.ts'
import { documentSchema, freeJob, parseSpec, serviceEntries } from './helpers.ts'
import { statusSchema } from './schemas.ts'

const runOutput = z.object({
  job: z.string(),
  version: z.int(),
  /** false: exactly this ran already */
  isChanged: z.boolean(),
  groups: z.array(z.object({ group: z.string(), count: z.int() })),
})

export const jobRun = defineCommand({
  name: 'tw.job.run',
  summary: 'Run a job, or replace the running version of it task by task.',
  input: z.object({
    /** the job document */
    spec: documentSchema,
    /** end the ownership of a rollout */
    takeOver: z.boolean().default(false),
    release: z.string().nullable().default(null),
    reason: z.string().default(''),
    /** place the first tasks in the same step, so that a plan names their nodes and its application takes these or nothing */
    isPlaced: z.boolean().default(false),
  }),
  output: runOutput,
  decide: (db, input, ctx) => {
    const spec = parseSpec(input.spec)
    if (isRefusal(spec)) return spec
    const { takeOver, release, reason } = input
    const start = startVersion(db, { spec, document: input.spec, takeOver, release, reason })
    if (isRefusal(start) || !input.isPlaced || isRecurring(spec) || isSystem(spec.kind)) return start
    return { ...start, entries: [...start.entries, ...placements(db, spec, start.entries, ctx)] }
  },
})

/** The first places of a run, as the reconciler would choose them next; those it would take from tasks that it stops come later. */
function placements(db: ReadDb, spec: JobSpec, entries: readonly Proposal[], asked: Asked): Proposal[] {
  const groups = onImage(db, asked, (image) => plannedGroups(db, image, spec, entries, asked.now))
  return groups.flatMap(({ group, decision }) => {
    let room = decision.roomNow
    return decision.place.flatMap(({ version, tasks }) => {
      const first = tasks.length <= room ? tasks : group.isAllOrNothing ? [] : tasks.slice(0, room)
      room -= first.length
      return first.length === 0 ? [] : [placedOf(db, { job: spec.job, group: group.name, version }, group, first)]
    })
  })
}

/** What a run that logs these entries does to each group; recurring jobs place nothing themselves. */
export function plannedGroups(db: ReadDb, image: FleetImage, spec: JobSpec, entries: readonly Proposal[], now: number): GroupPlan[] {
  if (isRecurring(spec)) return []
  return planOf(db, image, spec, entries.length === 0, now, targetsOf(entries))
}

/** What the entries want of each group. */
export function targetsOf(entries: readonly Proposal[]): Targets {
  return new Map(
    entries
      .filter((entry) => entry.type === updateTargetSet.type)
      .map((entry) => entry.body as z.output<typeof updateTargetSet.body>)
      .map((body) => [body.group, body.arms]),
  )
}

interface Start {
  spec: JobSpec
  document: Record<string, unknown>
  takeOver: boolean
  release: string | null
  reason: string
}

/** A new version that replaces what runs; nothing when exactly it runs already. */
export function startVersion(db: ReadDb, start: Start): Decision<z.input<typeof runOutput>> | MusterError {
  const { spec } = start
  // Recurring jobs place nothing themselves; of one task per node, the nodes say how many.
  const wanted = isRecurring(spec) ? [] : spec.groups.map((group) => ({ group: group.name, count: countOf(db, spec, group) }))
  if (jobRow(db, spec.job)) {
    const job = freeJob(db, spec.job, start.takeOver)
    if (isRefusal(job)) return job
    if (job.kind !== spec.kind && job.state === 'running')
      return refuse('TW_JOB_STATE', `the job ${spec.job} runs as ${job.kind}; stop it before running it as ${spec.kind}`)
    const same = rescales(db, start)
    if (same !== null)
      return { entries: same, reply: () => ({ job: spec.job, version: job.current_version, isChanged: same.length > 0, groups: wanted }) }
  }
  const services = serviceEntries(db, spec)
  if (isRefusal(services)) return services
  const version = (jobRow(db, spec.job)?.last_version ?? 0) + 1
  const removed = groupRows(db, spec.job).filter(
    (group) => !wanted.some((it) => it.group === group.name) && armRows(db, spec.job, group.name).length > 0,
  )
  const entries: Proposal[] = [
    jobSubmitted.of({
      job: spec.job,
      version,
      document: start.document,
      spec,
      release: start.release,
      reason: start.reason,
      isStarted: true,
    }),
    ...wanted.flatMap((it) => groupStart(db, start, version, it)),
    ...removed.map((group) =>
      updateTargetSet.of({ job: spec.job, group: group.name, owner: null, arms: [], count: null, reason: start.reason }),
    ),
    ...services,
  ]
  return { entries, reply: () => ({ job: spec.job, version, isChanged: true, groups: wanted }) }
}

/** What begins one group of a new version: all of it in place, or an update from the version that runs. */
function groupStart(db: ReadDb, start: Start, version: number, { group, count }: { group: string; count: number }): Proposal[] {
  const set = (arms: ReturnType<typeof armsAt>): Proposal =>
    updateTargetSet.of({ job: start.spec.job, group, owner: null, arms, count, reason: start.reason })
  const whole = set([{ arm: 'primary', version, count }])
  const open = updateRow(db, start.spec.job, group)
  const running = armRows(db, start.spec.job, group).find((arm) => arm.arm === 'primary' && arm.count > 0)
  // The version to go back to is the last one that was up, not one whose update is still under way.
  const from = open && isOpen(open) ? open.from_version : running?.version
  const spec = groupSpecOf(start.spec, group)
  if (from === undefined || !spec || count === 0 || isSameProcess(db, start, from, spec)) return [whole]
  const canaries = Math.min(count, amountOf(spec.canary, count, 'up'))
  const state = canaries > 0 ? 'canary' : 'running'
  const update = { job: start.spec.job, group, from, to: version, total: count, state } as const
  const arms = armsAt({ from_version: from, to_version: version, total: count }, canaries, true)
  return [updateStarted.of(update), canaries > 0 ? set(arms) : whole]
}

/** Whether a group's tasks of a kept version are, as processes, those of the new one: then nothing is replaced. */
function isSameProcess(db: ReadDb, start: Start, from: number, group: GroupSpec): boolean {
  const row = versionRow(db, start.spec.job, from)
  const before = row && groupSpecOf(specOf(db, start.spec.job, from), group.name)
  return before !== undefined && row?.release === start.release && canonicalJson(before.container) === canonicalJson(group.container)
}

/** How many tasks a group of a new version begins with. */
function countOf(db: ReadDb, spec: JobSpec, group: GroupSpec): number {
  if (!isSystem(spec.kind)) return group.count
  return armRows(db, spec.job, group.name).find((arm) => arm.arm === 'primary' && arm.count > 0)?.count ?? group.count
}

/** When the document runs already: what brings counts that were scaled since back to it; null when it does not. */
function rescales(db: ReadDb, start: Start): Proposal[] | null {
  const job = jobRow(db, start.spec.job)
  if (!job || job.state !== 'running' || job.owner !== null) return null
  // An update that is still to be promoted is the document's already.
  const coming = updateRows(db, job.name)
    .filter(isOpen)
    .map((update) => versionRow(db, job.name, update.to_version))
  if (coming.some((row) => row?.document === canonicalJson(start.document) && row.release === start.release)) return []
  const current = versionRow(db, job.name, job.current_version)
  if (!current || current.document !== canonicalJson(start.document) || current.release !== start.release) return null
  if (isRecurring(start.spec) || isSystem(start.spec.kind)) return []
  return start.spec.groups.flatMap((group): Proposal[] => {
    const arms = armRows(db, job.name, group.name)
    if (arms.length === 1 && arms[0]?.version === job.current_version && arms[0].count === group.count) return []
    const arm = { arm: 'primary' as const, version: job.current_version, count: group.count }
    return [updateTargetSet.of({ job: job.name, group: group.name, owner: null, arms: [arm], count: group.count, reason: start.reason })]
  })
}

export const jobStop = defineCommand({
  name: 'tw.job.stop',
  summary: 'Stop every task of a job; its versions stay.',
  danger: 'medium',
  input: z.object({ job: z.string(), takeOver: z.boolean().default(false), reason: z.string().default('') }),
  output: z.object({ job: z.string(), isChanged: z.boolean() }),
  decide: (db, input) => {
    const job = freeJob(db, input.job, input.takeOver)
    if (isRefusal(job)) return job
    const isChanged = job.state === 'running'
    const runs = activeRuns(db, input.job).filter((run) => jobRow(db, run.name)?.state === 'running')
    const names = [...(isChanged ? [input.job] : []), ...runs.map((run) => run.name)]
    return {
      entries: names.map((name) => jobStopped.of({ job: name, reason: input.reason })),
      reply: () => ({ job: input.job, isChanged }),
    }
  },
})

export const jobScale = defineCommand({
  name: 'tw.job.scale',
  summary: 'Change the number of tasks of a group.',
  input: z.object({ job: z.string(), group: z.string().optional(), count: z.int().min(0).max(100_000), reason: z.string().default('') }),
  output: statusSchema,
  decide: (db, input) => {
    const job = freeJob(db, input.job)
    if (isRefusal(job)) return job
    if (job.state !== 'running')
      return refuse('TW_JOB_STATE', `the job ${input.job} is stopped; run it again with \`muster tw job revert\` or \`run\``)
    if (isSystem(job.kind)) return refuse('TW_JOB_STATE', `the nodes say how many tasks ${input.job} has: its kind is ${job.kind}`)
    if (recurringRow(db, input.job)) return refuse('TW_JOB_STATE', `${input.job} places nothing itself: its runs do`)
    const group = onlyGroup(db, input.job, input.group)
    if (isRefusal(group)) return group
    const update = updateRow(db, input.job, group)
    if (update && (update.state === 'canary' || update.state === 'paused'))
      return refuse('TW_JOB_STATE', `an update of ${input.job}/${group} is ${update.state === 'canary' ? 'to be promoted' : 'paused'}`, {
        hint: `End it first: \`muster tw update promote ${input.job}\` or \`muster tw update fail ${input.job}\`.`,
      })
    const version = armRows(db, input.job, group).find((arm) => arm.arm === 'primary')?.version ?? job.current_version
    return {
      entries: [
        updateTargetSet.of({
          job: input.job,
          group,
          owner: null,
          arms: [{ arm: 'primary', version, count: input.count }],
          count: input.count,
          reason: input.reason,
        }),
      ],
      reply: (after) => jobStatus(after, input.job) ?? emptyStatus(input.job),
    }
  },
})

export const jobRevert = defineCommand({
  name: 'tw.job.revert',
  summary: 'Run an earlier version again, as a new version.',
  input: z.object({ job: z.string(), to: z.int().min(1).optional(), reason: z.string().default('') }),
  output: runOutput,
  decide: (db, input) => {
    const job = freeJob(db, input.job)
    if (isRefusal(job)) return job
    const to = input.to ?? (job.state === 'stopped' ? job.current_version : job.current_version - 1)
    const row = versionRow(db, input.job, to)
    if (!row) return refuse('TW_VERSION_UNKNOWN', `the job ${input.job} has no ${to === 0 ? 'earlier version' : `version ${to}`}`)
    return startVersion(db, {
      spec: specOf(db, input.job, to),
      document: fromJson(row.document),
      takeOver: false,
      release: row.release,
      reason: input.reason || `revert to version ${to}`,
    })
  },
})

/** The group that is meant: the one named, or the only one. */
export function onlyGroup(db: ReadDb, job: string, group: string | undefined): string | MusterError {
  const names = groupRows(db, job)
    .filter((row) => armRows(db, job, row.name).length > 0)
    .map((row) => row.name)
  if (group !== undefined)
    return names.includes(group) ? group : refuse('NOT_FOUND', `the job ${job} has no group ${group}; it has ${names.join(', ')}`)
  return names.length === 1 && names[0] !== undefined
    ? names[0]
    : refuse('USAGE', `the job ${job} has several groups (${names.join(', ')}): name one`)
}

export function emptyStatus(job: string): z.input<typeof statusSchema> {
  return { job, kind: 'service', state: 'stopped', currentVersion: 0, lastVersion: 0, owner: null, groups: [] }
}
