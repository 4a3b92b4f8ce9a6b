import { z } from 'zod'
import type { Proposal } from '../../contracts/entry.ts'
import { defineAction, defineCommand, defineQuery } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { must } from '../../kernel/assert.ts'
import { refuse, type MusterError } from '../../kernel/errors.ts'
import { SloExcluded, SloExclusionRemoved, SloMoved, SloRemoved, SloSet } from '../entries/slo.ts'
import { LIMITS } from '../limits.ts'
import { nearNames } from '../names.ts'
import { objectiveName, sloFileSchema, type SloFile } from '../slo/file.ts'
import { exclusions, slo, slos, sloStates } from '../slo/queries.ts'

const MINUTE_MS = 60_000

const exclusionView = z.object({
  id: z.number(),
  objective: z.string().nullable(),
  fromMs: z.number(),
  toMs: z.number(),
  reason: z.string(),
  atMs: z.number(),
  by: z.string(),
})

const stateView = z.object({
  objective: z.string(),
  tier: z.string().nullable(),
  sev: z.number().nullable(),
  isSpent: z.boolean(),
  sinceMs: z.number().nullable(),
  lastBurnAtMs: z.number().nullable(),
  budgetLeft: z.number(),
  reason: z.string(),
})

const storedView = z.object({
  file: sloFileSchema,
  version: z.number(),
  setAtMs: z.number(),
  setBy: z.string(),
  states: z.array(stateView),
  exclusions: z.array(exclusionView),
})

const budgetView = z.object({
  good: z.number(),
  total: z.number(),
  bad: z.number(),
  allowed: z.number(),
  left: z.number(),
  leftMs: z.number(),
})

const tierView = z.object({
  name: z.string(),
  factor: z.number(),
  longMs: z.number(),
  shortMs: z.number(),
  sev: z.number(),
  threshold: z.number(),
  isClamped: z.boolean(),
})

/** One objective as it stands: what deploy gates, chaos guards, pages and `slo list` read. */
export const objectiveStatusSchema = z.object({
  service: z.string(),
  objective: z.string(),
  kind: z.enum(['availability', 'latency', 'error-rate']),
  /** as people say it: `99.95 %`, `p99 ≤ 200ms` */
  target: z.string(),
  /** share of good events that is aimed at, 0 to 1 */
  targetShare: z.number(),
  window: z.string(),
  /** `unknown`: it could not be measured just now, or its history is still being read */
  state: z.enum(['ok', 'burning', 'spent', 'no_data', 'unknown']),
  /** tier and level of the burn that goes on */
  tier: z.string().nullable(),
  sev: z.number().nullable(),
  sinceMs: z.number().nullable(),
  lastBurnAtMs: z.number().nullable(),
  /** null until it was measured */
  burn2m: z.number().nullable(),
  burn1h: z.number().nullable(),
  budget: budgetView.nullable(),
  /** with what was excluded; null when nothing is */
  budgetWithExcluded: budgetView.nullable(),
  /** the percentile over the window, ms; null: not a latency, or not to be had in time */
  latencyMs: z.number().nullable(),
  windowFromMs: z.number().nullable(),
  /** of the window, ms; later than its beginning when it is not full yet */
  dataFromMs: z.number().nullable(),
  asOfMs: z.number().nullable(),
  tiers: z.array(tierView),
  /** why it is `unknown`, or why it moved last */
  reason: z.string().nullable(),
})

export type ObjectiveStatus = z.output<typeof objectiveStatusSchema>

/** Figures of every objective, measured within the last seconds. */
export const scubaSloStatus = defineAction({
  name: 'scuba.slo.status',
  summary: 'Say how each service objective stands: its figure, budget left, burn rates and state.',
  isMutation: false,
  input: z.object({ service: z.string().optional() }),
  output: z.object({ objectives: z.array(objectiveStatusSchema) }),
})

const firingView = z.object({ objective: z.string(), tier: z.string(), sev: z.number(), fromMs: z.number(), toMs: z.number() })

/** Replays objectives on the rows that are there. */
export const scubaSloTest = defineAction({
  name: 'scuba.slo.test',
  summary: 'Try the objectives of a file on past rows: what they would show, and when they would have burned.',
  isMutation: false,
  input: z.object({ file: sloFileSchema, sinceMs: z.number().int().nonnegative(), untilMs: z.number().int().nonnegative().optional() }),
  output: z.object({
    objectives: z.array(objectiveStatusSchema),
    burns: z.array(firingView),
    sinceMs: z.number(),
    untilMs: z.number(),
  }),
})

export const scubaSloList = defineQuery({
  name: 'scuba.slo.list',
  summary: 'List the service objectives as they were put, with what the log says of them.',
  input: z.object({ service: z.string().optional() }),
  output: z.object({ slos: z.array(storedView) }),
  answer: (db, { service }) => ({
    slos: slos(db).flatMap(({ file }) => (service === undefined || file.service === service ? [viewOf(db, file.service)] : [])),
  }),
})

export const scubaSloShow = defineQuery({
  name: 'scuba.slo.show',
  summary: 'Show the objectives of a service, what was excluded of them, and what burns.',
  input: z.object({ service: z.string() }),
  output: storedView,
  answer: (db, { service }) => (slo(db, service) ? viewOf(db, service) : unknownSlo(db, service)),
})

const isInForce = (db: ReadDb, file: SloFile): boolean => JSON.stringify(slo(db, file.service)?.file ?? null) === JSON.stringify(file)

export const scubaSloPut = defineCommand({
  name: 'scuba.slo.put',
  summary: 'Put the objectives of services, new or instead of those they had.',
  input: z.object({ files: z.array(sloFileSchema).min(1).max(100) }),
  output: z.object({ services: z.array(z.string()) }),
  decide: (db, { files }) => {
    const services = files.map(({ service }) => service)
    const twice = services.find((service, index) => services.indexOf(service) !== index)
    if (twice !== undefined) return refuse('SCUBA_SLO_INVALID', `the service ${twice} is there twice`)
    const others = slos(db).filter(({ file }) => !services.includes(file.service))
    const count = [...files, ...others.map(({ file }) => file)].reduce((sum, { objectives }) => sum + objectives.length, 0)
    if (count > LIMITS.objectivesMax) {
      return refuse('SCUBA_SLO_INVALID', `${count} objectives would be more than the ${LIMITS.objectivesMax} that are kept up to date`)
    }
    return {
      // Put again as it is, it would be measured from its beginning, and unknown until then.
      entries: files
        .filter((file) => !isInForce(db, file))
        .flatMap((file) => [...endings(db, file.service, 'objective removed', file.objectives.map(objectiveName)), SloSet.of({ file })]),
      reply: () => ({ services }),
    }
  },
})

export const scubaSloRm = defineCommand({
  name: 'scuba.slo.rm',
  summary: 'Remove the objectives of a service.',
  danger: 'medium',
  input: z.object({ service: z.string() }),
  output: z.object({ service: z.string() }),
  decide: (db, { service }) => {
    if (!slo(db, service)) return unknownSlo(db, service)
    return { entries: [...endings(db, service, 'SLO removed', []), SloRemoved.of({ service })], reply: () => ({ service }) }
  },
})

export const scubaSloExclude = defineCommand({
  name: 'scuba.slo.exclude',
  summary: 'Leave a span out of the objectives of a service, with a reason; both figures are shown. Or count it again.',
  danger: 'medium',
  input: z.object({
    service: z.string(),
    /** default: all of the service */
    objective: z.string().optional(),
    /** taken down and up to whole minutes */
    fromMs: z.number().int().nonnegative().optional(),
    toMs: z.number().int().nonnegative().optional(),
    reason: z.string().min(1).max(500).optional(),
    /** id of an exclusion that is to count again */
    remove: z.number().int().optional(),
  }),
  output: storedView,
  decide: (db, { service, objective, fromMs, toMs, reason, remove }, { now }) => {
    const known = slo(db, service)
    if (!known) return unknownSlo(db, service)
    const reply = (after: ReadDb): z.input<typeof storedView> => viewOf(after, service)
    if (remove !== undefined) {
      if (!exclusions(db, service).some(({ id }) => id === remove)) {
        return refuse('NOT_FOUND', `${service} has no exclusion ${remove}`, { hint: `See them with \`muster scuba slo show ${service}\`.` })
      }
      return { entries: [SloExclusionRemoved.of({ id: remove, service })], reply }
    }
    const names = known.file.objectives.map(objectiveName)
    if (objective !== undefined && !names.includes(objective)) {
      return refuse('NOT_FOUND', `${service} has no objective ${objective}; it has ${names.join(', ')}`)
    }
    if (reason === undefined) return refuse('USAGE', 'An exclusion needs a reason.', { hint: 'Add --reason TEXT.' })
    if (fromMs === undefined || toMs === undefined || fromMs >= toMs) {
      return refuse('USAGE', 'An exclusion needs a span: a beginning and a later end.', { hint: 'Add --from TIME --to TIME.' })
    }
    const span = { fromMs: Math.floor(fromMs / MINUTE_MS) * MINUTE_MS, toMs: Math.ceil(toMs / MINUTE_MS) * MINUTE_MS }
    if (exclusions(db, service, now - 62 * 86_400_000).length >= LIMITS.exclusionsMax) {
      return refuse('SCUBA_SLO_INVALID', `${service} has ${LIMITS.exclusionsMax} exclusions already`)
    }
    return { entries: [SloExcluded.of({ service, objective: objective ?? null, ...span, reason })], reply }
  },
})

export const sloOperations = [scubaSloStatus, scubaSloTest, scubaSloList, scubaSloShow, scubaSloPut, scubaSloRm, scubaSloExclude] as const

function viewOf(db: ReadDb, service: string): z.input<typeof storedView> {
  const known = must(slo(db, service), `the SLO of ${service}`)
  return { ...known, states: sloStates(db, service), exclusions: exclusions(db, service) }
}

/** Whoever was paged hears that it is over, before the objective is gone. */
function endings(db: ReadDb, service: string, reason: string, staying: readonly string[]): Proposal[] {
  return sloStates(db, service)
    .filter(({ objective }) => !staying.includes(objective))
    .flatMap(({ objective, tier, sev, isSpent, budgetLeft }) => {
      const moved = (kind: 'burn_ended' | 'budget_restored'): Proposal =>
        SloMoved.of({
          service,
          objective,
          kind,
          tier,
          sev: sev ?? 4,
          burnLong: null,
          burnShort: null,
          bad: 0,
          total: 0,
          budgetLeft,
          title: `${service} ${objective}`,
          reason,
        })
      return [...(tier === null ? [] : [moved('burn_ended')]), ...(isSpent ? [moved('budget_restored')] : [])]
    })
}

function unknownSlo(db: ReadDb, service: string): MusterError {
  const near = nearNames(
    service,
    slos(db).map(({ file }) => file.service),
  )
  return refuse('NOT_FOUND', `${service} has no SLO${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : ''}`, {
    hint: 'List them with `muster scuba slo list`.',
    details: { near },
  })
}
