import { z } from 'zod'
import { defineCommand, defineQuery } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { must } from '../../kernel/assert.ts'
import { isRefusal, refuse, type MusterError } from '../../kernel/errors.ts'
import { hashText } from '../../kernel/hash.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { lockScopes } from '../../delos/operations.ts'
import { gatesOf, holderOf, refusalOf, releaseTargets, scopeOf } from '../gates/gates.ts'
import { chaosRunAborting, chaosRunAdmitted, chaosRunClosed, chaosRunProposed } from '../machine.ts'
import { planRun, type Plan } from '../plan/plan.ts'
import { liveRuns, runRow, type RunRow } from '../rows.ts'
import { readExperiment } from '../spec/lint.ts'
import type { Experiment } from '../schema.ts'
import { eventSchema, eventsOf, gateSchema, planSchema, runView, runViewSchema } from '../views.ts'

/** A document as it was read from YAML or JSON; `chaos.experiment.lint` says what is wrong with it. */
const document = z.record(z.string(), z.unknown())
const which = z.string().min(1)
/** beyond its watching time: baseline, undo, recovery */
const LOCK_MARGIN_MS = 600_000

/** Names a version of an experiment: the same document gives the same digest. */
export function digestOf(experiment: unknown): string {
  const text = canonicalJson(experiment)
  return [0, 1, 2, 3].map((seed) => hashText(text, seed).toString(16).padStart(8, '0')).join('')
}

function prepare(db: ReadDb, given: unknown): { experiment: Experiment; plan: Plan; digest: string } | MusterError {
  const experiment = readExperiment(given)
  if (isRefusal(experiment)) return experiment
  const digest = digestOf(given)
  const plan = planRun(db, experiment, digest)
  return isRefusal(plan) ? plan : { experiment, plan, digest }
}

export const runPlan = defineQuery({
  name: 'chaos.run.plan',
  summary: 'Show what an experiment would break: targets, blast radius beside its caps, every gate.',
  input: z.strictObject({ experiment: document }),
  output: z.object({ title: z.string(), digest: z.string(), plan: planSchema, gates: z.array(gateSchema), isAllowed: z.boolean() }),
  answer: (db, input, ctx) => {
    const prepared = prepare(db, input.experiment)
    if (isRefusal(prepared)) return prepared
    const gates = gatesOf(db, ctx.now, prepared.experiment, prepared.plan.services, null)
    return {
      title: prepared.experiment.title,
      digest: prepared.digest,
      plan: prepared.plan,
      gates,
      isAllowed: gates.every(({ isOpen }) => isOpen),
    }
  },
})

export const runStart = defineCommand({
  name: 'chaos.run.start',
  summary: 'Run an experiment: watch the baseline, break what the plan says, undo it, judge.',
  danger: 'medium',
  input: z.strictObject({ experiment: document, reason: z.string().max(1000).prefault('') }),
  output: runViewSchema,
  decide: (db, input, ctx) => {
    const prepared = prepare(db, input.experiment)
    if (isRefusal(prepared)) return prepared
    const { experiment, plan, digest } = prepared
    const gates = gatesOf(db, ctx.now, experiment, plan.services, null)
    const refusal = refusalOf(gates)
    if (refusal) return refusal
    const run = `c${ctx.position}`
    const until = ctx.now + experiment.muster.baseline + plan.observeMs + experiment.muster.recovery_within + LOCK_MARGIN_MS
    const locks = lockScopes(db, ctx.now, plan.services.map(scopeOf), holderOf(run), until)
    if (isRefusal(locks)) return locks
    return {
      entries: [
        chaosRunProposed.of({
          run,
          title: experiment.title,
          digest,
          experiment: { ...experiment },
          plan: { ...plan },
          service: plan.services[0] ?? null,
          reason: input.reason,
        }),
        chaosRunAdmitted.of({ run, gates: gates.map(({ detail }) => detail) }),
        ...locks,
      ],
      reply: (after) => runView(after, must(runRow(after, run), `run ${run}`)),
    }
  },
})

/** A run by its id, `c57` or `57`; a refusal where there is none. */
export function findRun(db: ReadDb, name: string): RunRow | MusterError {
  return runRow(db, /^\d+$/.test(name) ? `c${name}` : name) ?? refuse('CHAOS_RUN_UNKNOWN', `there is no chaos run ${name}`)
}

export const runStop = defineCommand({
  name: 'chaos.run.stop',
  summary: 'Break a run off: every fault is undone at once.',
  input: z.strictObject({ run: which, reason: z.string().max(1000).prefault('stopped by a person') }),
  output: runViewSchema,
  decide: (db, input) => {
    const row = findRun(db, input.run)
    if (isRefusal(row)) return row
    const reply = (after: ReadDb) => runView(after, must(runRow(after, row.id), `run ${row.id}`))
    if (row.state === 'baseline')
      return {
        entries: [
          chaosRunClosed.of({ run: row.id, service: row.service, verdict: 'not-run', reason: input.reason, summary: {} }),
          ...releaseTargets(row),
        ],
        reply,
      }
    const isLive = row.state === 'arming' || row.state === 'observing'
    return { entries: isLive ? [chaosRunAborting.of({ run: row.id, cause: 'stopped', reason: input.reason })] : [], reply }
  },
})

export const runGet = defineQuery({
  name: 'chaos.run.get',
  summary: 'Show a run: its state, faults, checks and verdict.',
  input: z.strictObject({ run: which }),
  output: runViewSchema,
  answer: (db, input) => {
    const row = findRun(db, input.run)
    return isRefusal(row) ? row : runView(db, row)
  },
})

export const runList = defineQuery({
  name: 'chaos.run.list',
  summary: 'List runs that are under way; with isAll also those that ended.',
  input: z.strictObject({ isAll: z.boolean().prefault(false) }),
  output: z.object({ runs: z.array(runViewSchema) }),
  answer: (db, input) => {
    const rows = input.isAll ? db.all<RunRow>('SELECT * FROM chaos_run ORDER BY position DESC LIMIT 200') : liveRuns(db)
    return { runs: rows.map((row) => runView(db, row)) }
  },
})

export const runEvidence = defineQuery({
  name: 'chaos.run.evidence',
  summary: 'Give the whole record of a run: what was decided and seen, with log positions.',
  input: z.strictObject({ run: which }),
  output: runViewSchema.extend({ hypothesis: z.string(), events: z.array(eventSchema) }),
  answer: (db, input) => {
    const row = findRun(db, input.run)
    if (isRefusal(row)) return row
    const experiment = JSON.parse(row.experiment) as Experiment
    return { ...runView(db, row), hypothesis: experiment['steady-state-hypothesis'].title, events: eventsOf(db, row.id) }
  },
})
