import { z } from 'zod'
import { defineCommand } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { isRefusal, type MusterError, refuse } from '../../kernel/errors.ts'
import { jobSubmitted, updateTargetSet } from '../entries/jobs.ts'
import { fromJson, groupSpecOf, jobRow, specOf, versionRow } from '../rows.ts'
import { jobStatus } from '../views/job-status.ts'
import { documentSchema, parseSpec, serviceEntries, unknownJob } from './helpers.ts'
import { emptyStatus, onlyGroup } from './jobs.ts'
import { statusSchema } from './schemas.ts'

export const jobVersionPut = defineCommand({
  name: 'tw.job.version.put',
  summary: 'Keep a new version of a job without starting it.',
  input: z.object({
    job: z.string(),
    change: z.object({
      /** whose container changes; needed when the job has several groups */
      group: z.string().optional(),
      artifact: z.string().optional(),
      command: z.union([z.string(), z.array(z.string())]).optional(),
      /** laid over the variables of the version that runs */
      env: z.record(z.string(), z.string()).optional(),
      /** a whole document instead */
      spec: documentSchema.optional(),
    }),
    release: z.string(),
    reason: z.string().default(''),
  }),
  output: z.object({ job: z.string(), version: z.int() }),
  decide: (db, input) => {
    const job = jobRow(db, input.job)
    if (!job) return unknownJob(input.job)
    const document = input.change.spec ?? changedDocument(db, input.job, job.current_version, input.change)
    if (isRefusal(document)) return document
    const spec = parseSpec(document)
    if (isRefusal(spec)) return spec
    if (spec.job !== input.job) return refuse('TW_SPEC_INVALID', `the document is of the job ${spec.job}, not ${input.job}`)
    if (spec.kind !== job.kind)
      return refuse('TW_SPEC_INVALID', `the job ${input.job} is of kind ${job.kind}, the document of kind ${spec.kind}`)
    const services = serviceEntries(db, spec)
    if (isRefusal(services)) return services
    const version = job.last_version + 1
    return {
      entries: [
        jobSubmitted.of({ job: input.job, version, document, spec, release: input.release, reason: input.reason, isStarted: false }),
      ],
      reply: () => ({ job: input.job, version }),
    }
  },
})

interface Change {
  group?: string | undefined
  artifact?: string | undefined
  command?: string | string[] | undefined
  env?: Record<string, string> | undefined
}

/** The document of the running version with another artifact, command or environment. */
function changedDocument(db: ReadDb, job: string, version: number, change: Change): Record<string, unknown> | MusterError {
  const row = versionRow(db, job, version)
  if (!row) return refuse('TW_VERSION_UNKNOWN', `the job ${job} has no version ${version}`)
  const document = fromJson<{ groups: Record<string, { main: Record<string, unknown> & { env?: Record<string, unknown> } }> }>(row.document)
  const names = Object.keys(document.groups)
  const name = change.group ?? (names.length === 1 ? names[0] : undefined)
  if (name === undefined) return refuse('USAGE', `the job ${job} has several groups (${names.join(', ')}): name the one that changes`)
  const group = document.groups[name]
  if (!group) return refuse('NOT_FOUND', `the job ${job} has no group ${name}; it has ${names.join(', ')}`)
  // A release brings its own folder: a fixed working directory of a version without one would hide it.
  const { cwd, ...rest } = group.main
  const hidesArtifact = change.artifact !== undefined && group.main['artifact'] === undefined
  const main = {
    ...rest,
    ...(cwd === undefined || hidesArtifact ? {} : { cwd }),
    ...(change.artifact === undefined ? {} : { artifact: change.artifact }),
    ...(change.command === undefined ? {} : { command: change.command }),
    ...(change.env === undefined ? {} : { env: { ...group.main.env, ...change.env } }),
  }
  return { ...document, groups: { ...document.groups, [name]: { ...group, main } } }
}

export const updateSet = defineCommand({
  name: 'tw.update.set',
  summary: 'Say how many tasks of which version a group runs, per arm, and who owns the job.',
  input: z.object({
    job: z.string(),
    /** may be left out when the job has one group */
    group: z.string().optional(),
    /** the rollout that alone may change the job from now on; null gives it back */
    owner: z.string().nullable(),
    arms: z
      .array(z.object({ arm: z.enum(['primary', 'canary']), version: z.int().min(1), count: z.int().min(0).max(100_000) }))
      .min(1)
      .max(2),
    reason: z.string(),
  }),
  output: statusSchema,
  decide: (db, input) => {
    const job = jobRow(db, input.job)
    if (!job) return unknownJob(input.job)
    if (job.owner !== null && input.owner !== null && job.owner !== input.owner)
      return refuse('TW_JOB_OWNED', `the job ${input.job} is owned by ${job.owner}`, { details: { owner: job.owner } })
    if (job.state !== 'running') return refuse('TW_JOB_STATE', `the job ${input.job} is stopped`)
    const group = onlyGroup(db, input.job, input.group)
    if (isRefusal(group)) return group
    const problem = armsProblem(db, input.job, group, input.arms)
    if (problem) return problem
    const primary = input.arms.find((arm) => arm.arm === 'primary')
    // The mesh follows the primary version: a canary is reached by the services that are there.
    const services = primary && primary.version !== job.current_version ? serviceEntries(db, specOf(db, input.job, primary.version)) : []
    if (isRefusal(services)) return services
    return {
      entries: [
        updateTargetSet.of({
          job: input.job,
          group,
          owner: input.owner,
          arms: input.arms,
          count: input.owner === null ? (primary?.count ?? null) : null,
          reason: input.reason,
        }),
        ...services,
      ],
      reply: (after) => jobStatus(after, input.job) ?? emptyStatus(input.job),
    }
  },
})

function armsProblem(db: ReadDb, job: string, group: string, arms: readonly { arm: string; version: number }[]): MusterError | null {
  if (!arms.some((arm) => arm.arm === 'primary')) return refuse('USAGE', 'a group needs a primary arm')
  if (new Set(arms.map((arm) => arm.arm)).size !== arms.length) return refuse('USAGE', 'an arm is named twice')
  if (new Set(arms.map((arm) => arm.version)).size !== arms.length) return refuse('USAGE', 'the arms must have different versions')
  for (const arm of arms) {
    if (!versionRow(db, job, arm.version)) return refuse('TW_VERSION_UNKNOWN', `the job ${job} has no version ${arm.version}`)
    if (!groupSpecOf(specOf(db, job, arm.version), group))
      return refuse('NOT_FOUND', `version ${arm.version} of the job ${job} has no group ${group}`)
  }
  return null
}
