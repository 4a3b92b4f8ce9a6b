import { z } from 'zod'
import type { Proposal } from '../../contracts/entry.ts'
import { defineCommand, defineQuery, type Decision } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { isRefusal, type MusterError, refuse } from '../../kernel/errors.ts'
import { updateTargetSet } from '../entries/jobs.ts'
import { updateFinished, updateSteered } from '../entries/updates.ts'
import { groupSpecOf, jobRow, specOf } from '../rows.ts'
import { armsAt, isOpen, updateCounts, updateRows, wantedOf, type UpdateRow } from '../updates/rows.ts'
import { freeJob, unknownJob } from './helpers.ts'

export const updateViewSchema = z.object({
  job: z.string(),
  group: z.string(),
  from: z.int(),
  to: z.int(),
  state: z.enum(['running', 'canary', 'paused', 'done', 'failed']),
  total: z.int(),
  /** live tasks of other versions, of the new one, and those of it that serve */
  old: z.int(),
  new: z.int(),
  healthy: z.int(),
  /** wanted of the new version at this step */
  wanted: z.int(),
  startedMs: z.number(),
  /** log time at which it fails if no more tasks become healthy; null: it does not wait for tasks */
  progressDeadlineMs: z.number().nullable(),
  waitsFor: z.string(),
})
export type UpdateView = z.output<typeof updateViewSchema>

function viewOf(db: ReadDb, update: UpdateRow): UpdateView {
  const counts = updateCounts(db, update)
  const wanted = wantedOf(db, update)
  const spec = groupSpecOf(specOf(db, update.job, update.to_version), update.grp)
  const isWaiting = (update.state === 'running' || update.state === 'canary') && counts.healthy < wanted
  return {
    job: update.job,
    group: update.grp,
    from: update.from_version,
    to: update.to_version,
    state: update.state,
    total: update.total,
    ...counts,
    wanted,
    startedMs: update.started_at,
    progressDeadlineMs: isWaiting && spec ? update.progress_at + spec.progressDeadlineMs : null,
    waitsFor: waitsText(update, counts, wanted),
  }
}

function waitsText(update: UpdateRow, counts: { old: number; new: number; healthy: number }, wanted: number): string {
  if (!isOpen(update)) return update.reason
  if (update.state === 'paused') return `to be resumed${update.reason === '' ? '' : `: ${update.reason}`}`
  if (counts.new < wanted) return `${wanted - counts.new} new tasks to be placed: room, or budget for old ones to go`
  if (counts.healthy < wanted) return `${wanted - counts.healthy} new tasks to become healthy`
  return update.state === 'canary' ? 'to be promoted' : `${counts.old} old tasks to end`
}

export const updateList = defineQuery({
  name: 'tw.update.list',
  summary: 'List the latest update of each group.',
  input: z.object({ job: z.string().optional(), isAll: z.boolean().default(false) }),
  output: z.array(updateViewSchema),
  answer: (db, input) => {
    if (input.job !== undefined && !jobRow(db, input.job)) return unknownJob(input.job)
    return updateRows(db, input.job)
      .filter((update) => input.isAll || input.job !== undefined || isOpen(update))
      .map((update) => viewOf(db, update))
  },
})

const stepInput = z.object({ job: z.string(), group: z.string().optional(), reason: z.string().default('') })
const stepOutput = z.object({ job: z.string(), updates: z.array(updateViewSchema), isChanged: z.boolean() })
type Step = z.output<typeof stepInput>
type Steps = Decision<z.input<typeof stepOutput>> | MusterError

/** The open updates that are meant, each with what is to become of it; nothing of those that are so already. */
function steps(db: ReadDb, input: Step, of: (update: UpdateRow) => Proposal[] | MusterError): Steps {
  const job = freeJob(db, input.job)
  if (isRefusal(job)) return job
  const updates = updateRows(db, input.job).filter((update) => isOpen(update) && (input.group ?? update.grp) === update.grp)
  if (updates.length === 0)
    return refuse('TW_JOB_STATE', `no update of ${input.job}${input.group === undefined ? '' : `/${input.group}`} goes on`, {
      hint: 'See the latest ones with `muster tw update ls --all`.',
    })
  const entries: Proposal[] = []
  for (const update of updates) {
    const own = of(update)
    if (isRefusal(own)) return own
    entries.push(...own)
  }
  return {
    entries,
    reply: (after) => ({
      job: input.job,
      updates: updateRows(after, input.job).map((update) => viewOf(after, update)),
      isChanged: entries.length > 0,
    }),
  }
}

function target(update: UpdateRow, arms: ReturnType<typeof armsAt>, reason: string): Proposal {
  return updateTargetSet.of({ job: update.job, group: update.grp, owner: null, arms, count: update.total, reason })
}

function steered(update: UpdateRow, state: 'running' | 'canary' | 'paused', reason: string): Proposal {
  return updateSteered.of({ job: update.job, group: update.grp, state, reason })
}

export const updatePause = defineCommand({
  name: 'tw.update.pause',
  summary: 'Hold an update as it is: nothing more is replaced.',
  input: stepInput,
  output: stepOutput,
  decide: (db, input) =>
    steps(db, input, (update) => {
      if (update.state === 'paused') return []
      const isBeside = update.state === 'canary'
      const count = isBeside ? wantedOf(db, update) : Math.min(updateCounts(db, update).new, update.total - 1)
      return [steered(update, 'paused', input.reason), ...(isBeside ? [] : [target(update, armsAt(update, count), input.reason)])]
    }),
})

export const updateResume = defineCommand({
  name: 'tw.update.resume',
  summary: 'Let a paused update go on.',
  input: stepInput,
  output: stepOutput,
  decide: (db, input) =>
    steps(db, input, (update) =>
      update.state === 'paused'
        ? [steered(update, 'running', input.reason), target(update, armsAt(update, update.total), input.reason)]
        : [],
    ),
})

export const updatePromote = defineCommand({
  name: 'tw.update.promote',
  summary: 'Let an update that waits come further: to a number of new tasks, or to its end.',
  input: stepInput.extend({ to: z.int().min(1).optional() }),
  output: stepOutput,
  decide: (db, input) =>
    steps(db, input, (update) => {
      const count = input.to ?? update.total
      if (count > update.total) return refuse('USAGE', `${update.job}/${update.grp} has ${update.total} tasks: --to is at most that`)
      const { healthy, new: placed } = updateCounts(db, update)
      if (update.state === 'canary' && healthy < Math.min(placed, wantedOf(db, update)))
        return refuse('TW_JOB_STATE', `only ${healthy} of the ${placed} canaries of ${update.job}/${update.grp} are healthy`, {
          hint: 'Wait for them, or give the update up with `muster tw update fail`.',
        })
      return [
        steered(update, count < update.total ? 'canary' : 'running', input.reason),
        target(update, armsAt(update, count), input.reason),
      ]
    }),
})

export const updateFail = defineCommand({
  name: 'tw.update.fail',
  summary: 'Give an update up and go back to the version before it.',
  danger: 'medium',
  input: stepInput,
  output: stepOutput,
  decide: (db, input) =>
    steps(db, input, (update) => [
      updateFinished.of({ job: update.job, group: update.grp, outcome: 'failed', reason: input.reason || 'given up by an operator' }),
      target(update, armsAt(update, 0), input.reason || 'update given up'),
    ]),
})
