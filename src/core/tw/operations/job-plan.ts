import { z } from 'zod'
import { defineQuery } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { isRefusal, refuse } from '../../kernel/errors.ts'
import { WAITING_CODES, waitingReasons } from '../controllers/waiting.ts'
import { documentDiff } from '../document-diff.ts'
import type { JobSpec } from '../job-spec.ts'
import {
  fromJson,
  groupRows,
  groupSpecOf,
  jobRow,
  nodeRow,
  specOf,
  taskName,
  versionRow,
  type JobRow,
  type MeshServiceRow,
} from '../rows.ts'
import type { FleetImage } from '../scheduler/image.ts'
import { onImage, type Asked } from '../soft.ts'
import { rescaledPlan, type GroupPlan, type Targets } from '../views/job-plan.ts'
import { plannedOn } from '../views/node-verdict.ts'
import { documentSchema, parseSpec } from './helpers.ts'
import { diffSchema } from './job-reads.ts'
import { jobScale, jobStop, plannedGroups, startVersion, targetsOf } from './jobs.ts'

const groupPlanSchema = z.object({
  group: z.string(),
  action: z.enum(['start', 'replace', 'in-place', 'none', 'scale', 'stop']),
  /** tasks it wants afterwards */
  count: z.int(),
  running: z.int(),
  places: z.array(z.object({ task: z.string(), node: z.string() })),
  unplaced: z.int(),
  code: z.enum(WAITING_CODES).nullable(),
  why: z.string().nullable(),
  /** what its tasks wait for beside room */
  waits: z.array(z.string()),
  /** tasks of lower priority that would be asked to go, and for whom */
  preempts: z.array(z.object({ task: z.string(), node: z.string(), for: z.string() })),
  /** tasks that end: in the first round, and how many once what they wait for is there */
  stops: z.object({
    now: z.array(z.object({ task: z.string(), node: z.string(), why: z.string() })),
    later: z.int(),
    waitsFor: z.string().nullable(),
  }),
  /** what it names and no node has */
  warnings: z.array(z.string()),
  /** what the node asked about is given, or why nothing; null: none was asked about */
  ofNode: z.string().nullable(),
})

const freeSchema = z.object({ cpuMilli: z.number(), memoryBytes: z.number(), gpuMilli: z.number() })

export const jobPlan = defineQuery({
  name: 'tw.job.plan',
  summary: 'Say what running a job document would do: fields that change, tasks, places.',
  input: z.object({
    spec: documentSchema,
    /** a node of which is to be said what it is given, or why nothing */
    node: z.string().optional(),
  }),
  output: z.object({
    job: z.string(),
    isNew: z.boolean(),
    owner: z.string().nullable(),
    changes: diffSchema,
    groups: z.array(groupPlanSchema),
    /** when the clock would start runs of it next, log time; the server, who knows time zones, adds them */
    nextMs: z.array(z.number()),
    /** what open nodes have left after the first round */
    free: freeSchema,
  }),
  answer: (db, input, ctx) => {
    const spec = parseSpec(input.spec)
    if (isRefusal(spec)) return spec
    const { node } = input
    if (node !== undefined && !nodeRow(db, node)) return refuse('TW_NODE_UNKNOWN', `there is no node ${node}`)
    const job = jobRow(db, spec.job)
    const version = job ? versionRow(db, spec.job, job.current_version) : undefined
    const start = startVersion(db, { spec, document: input.spec, takeOver: true, release: null, reason: '' })
    if (isRefusal(start)) return start
    const changes = documentDiff(version ? fromJson(version.document) : undefined, input.spec)
    const { groups, free } = onImage(db, ctx, (image) => {
      const gone = job === undefined ? [] : removedBy(db, job, spec)
      const planned = plannedGroups(db, image, spec, start.entries, ctx.now)
      const removed =
        job === undefined || gone.length === 0 ? [] : rescaledPlan(db, image, job, new Map(gone.map((it) => [it, []])), ctx.now)
      // What was planned is on the image now.
      const ofNode = (plan: GroupPlan): string | null => (node === undefined ? null : plannedOn(db, image, spec.job, plan, node))
      const groups = [
        ...planned.map((plan) => ({ ...groupAnswer(spec.job, plan), ofNode: ofNode(plan) })),
        ...removed.map((plan) => groupAnswer(spec.job, plan)),
      ]
      return { groups, free: freeOf(image) }
    })
    return { job: spec.job, isNew: !job, owner: job?.owner ?? null, changes, groups, nextMs: [], free }
  },
})

const changeSchema = z.object({
  job: z.string(),
  /** false: it is so already */
  isChanged: z.boolean(),
  groups: z.array(groupPlanSchema.extend({ job: z.string() })),
  /** services of the mesh that nothing would answer any more */
  services: z.array(z.string()),
  free: freeSchema,
})

export const jobScalePlan = defineQuery({
  name: 'tw.job.scale.plan',
  summary: 'Say what another number of tasks would do: which start where, which end, what they wait for.',
  input: jobScale.input,
  output: changeSchema,
  answer: (db, input, ctx) => {
    const scaled = jobScale.decide(db, input, ctx)
    if (isRefusal(scaled)) return scaled
    return changeAnswer(db, input.job, new Map([[input.job, targetsOf(scaled.entries)]]), ctx)
  },
})

export const jobStopPlan = defineQuery({
  name: 'tw.job.stop.plan',
  summary: 'Say what stopping a job would do: which tasks end, and which services nothing answers then.',
  input: jobStop.input,
  output: changeSchema,
  answer: (db, input, ctx) => {
    const stopped = jobStop.decide(db, input, ctx)
    if (isRefusal(stopped)) return stopped
    const jobs = stopped.entries.map(({ body }) => (body as { job: string }).job)
    const nothing = (job: string): Targets => new Map(groupRows(db, job).map(({ name }) => [name, []]))
    return changeAnswer(db, input.job, new Map(jobs.map((job) => [job, nothing(job)])), ctx)
  },
})

function changeAnswer(db: ReadDb, job: string, targets: ReadonlyMap<string, Targets>, ctx: Asked): z.input<typeof changeSchema> {
  const { groups, free } = onImage(db, ctx, (image) => ({
    groups: [...targets].flatMap(([name, wanted]) => {
      const row = jobRow(db, name)
      const planned = row === undefined ? [] : rescaledPlan(db, image, row, wanted, ctx.now)
      return planned.map((group) => ({ job: name, ...groupAnswer(name, group) }))
    }),
    free: freeOf(image),
  }))
  const isChanged = groups.some(({ action }) => action !== 'none')
  const empty = groups.filter(({ count }) => count === 0)
  const services = db
    .all<MeshServiceRow>('SELECT * FROM tw_mesh_service ORDER BY name')
    .filter((service) => empty.some((it) => it.job === service.job && it.group === service.grp))
  return { job, isChanged, groups, services: services.map(({ name }) => name), free }
}

/** Groups of the job that runs and the document does not have. */
function removedBy(db: ReadDb, job: JobRow, spec: JobSpec): string[] {
  const before = specOf(db, job.name, job.current_version).groups
  return before.filter(({ name }) => !groupSpecOf(spec, name)).map(({ name }) => name)
}

function groupAnswer(job: string, plan: GroupPlan): z.input<typeof groupPlanSchema> {
  const { group, action, count, running, decision, preemptions, stops, unknown } = plan
  const waiting = waitingReasons(decision)
  const nameOf = (idx: number): string => taskName({ job, grp: group.name, idx })
  return {
    group: group.name,
    action,
    count,
    running,
    places: decision.place.flatMap(({ tasks }) => tasks.map(({ index, node }) => ({ task: nameOf(index), node }))),
    unplaced: waiting.reduce((sum, { indexes }) => sum + indexes.length, 0),
    code: waiting[0]?.code ?? null,
    why: waiting[0]?.why ?? null,
    waits: decision.held,
    preempts: preemptions.flatMap(({ index, node, victims }) =>
      victims.map((victim) => ({ task: taskName(victim), node, for: nameOf(index) })),
    ),
    stops,
    warnings: unknown,
    ofNode: null,
  }
}

function freeOf(image: FleetImage): { cpuMilli: number; memoryBytes: number; gpuMilli: number } {
  const free = { cpuMilli: 0, memoryBytes: 0, gpuMilli: 0 }
  for (const node of image.order.subarray(0, image.size)) {
    if (image.closed[node] !== 0) continue
    free.cpuMilli += image.cpuFree[node] ?? 0
    free.memoryBytes += image.memoryFree[node] ?? 0
    free.gpuMilli += image.freeGpu(node)
  }
  return free
}
