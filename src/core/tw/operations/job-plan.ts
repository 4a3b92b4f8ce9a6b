import { z } from 'zod'
import { defineQuery } from '../../contracts/operation.ts'
import { isRefusal, refuse } from '../../kernel/errors.ts'
import { WAITING_CODES, waitingReasons } from '../controllers/waiting.ts'
import { documentDiff } from '../document-diff.ts'
import { fromJson, groupSpecOf, jobRow, nodeRow, specOf, taskName, versionRow } from '../rows.ts'
import type { FleetImage } from '../scheduler/image.ts'
import { onImage } from '../soft.ts'
import { liveTasks } from '../tasks/read.ts'
import { plannedOn } from '../views/node-verdict.ts'
import { documentSchema, parseSpec } from './helpers.ts'
import { diffSchema } from './job-reads.ts'
import { plannedGroups, startVersion } from './jobs.ts'

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
    groups: z.array(
      z.object({
        group: z.string(),
        action: z.enum(['start', 'replace', 'in-place', 'none', 'scale', 'stop']),
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
        /** what the node asked about is given, or why nothing; null: none was asked about */
        ofNode: z.string().nullable(),
      }),
    ),
    /** when the clock would start runs of it next, log time; the server, who knows time zones, adds them */
    nextMs: z.array(z.number()),
    /** what open nodes have left after the first round */
    free: z.object({ cpuMilli: z.number(), memoryBytes: z.number(), gpuMilli: z.number() }),
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
    const { planned, free } = onImage(db, ctx, (image) => {
      const all = plannedGroups(db, image, spec, start.entries, ctx.now)
      // What was planned is on the image now.
      const ofNode = all.map((plan) => (node === undefined ? null : plannedOn(db, image, spec.job, plan, node)))
      return { planned: all.map((plan, i) => ({ ...plan, ofNode: ofNode[i] ?? null })), free: freeOf(image) }
    })
    const groups = planned.map(({ group, action, count, running, decision, preemptions, ofNode }) => {
      const waiting = waitingReasons(decision)
      const nameOf = (idx: number): string => taskName({ job: spec.job, grp: group.name, idx })
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
        ofNode,
      }
    })
    const gone = job ? specOf(db, spec.job, job.current_version).groups.filter((group) => !groupSpecOf(spec, group.name)) : []
    const stops = gone.map((group) => ({
      group: group.name,
      action: 'stop' as const,
      count: 0,
      running: liveTasks(db, spec.job, group.name).length,
      places: [],
      unplaced: 0,
      code: null,
      why: null,
      waits: [],
      preempts: [],
      ofNode: null,
    }))
    return {
      job: spec.job,
      isNew: !job,
      owner: job?.owner ?? null,
      changes,
      groups: [...groups, ...stops],
      nextMs: [],
      free,
    }
  },
})

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
