import { z } from 'zod'
import { defineAction, defineQuery } from '../../contracts/operation.ts'
import { isRefusal, refuse } from '../../kernel/errors.ts'
import { PROFILES, profileSchema } from '../profile.ts'
import { inFlightOf, lastRolloutOf, rolloutsInFlight, type RolloutRow } from '../rows.ts'
import { historySchema, historyView } from '../views/history.ts'
import { rolloutView, rolloutViewSchema } from '../views/rollout.ts'
import { watchSchema } from '../views/watch.ts'
import { whySchema } from '../views/why.ts'
import { haltSchema, haltsOf } from './steer.ts'

export const deployStatus = defineQuery({
  name: 'deploy.status',
  summary: 'Show rollouts: those in flight and the last ended one of each service.',
  input: z.strictObject({ service: z.string().optional() }),
  output: z.object({ rollouts: z.array(rolloutViewSchema), halts: z.array(haltSchema) }),
  answer: (db, input, ctx) => {
    const rows = input.service === undefined ? allRows(db) : rowsOf(db, input.service)
    if (input.service !== undefined && rows.length === 0) return refuse('DEPLOY_ROLLOUT_UNKNOWN', `${input.service} has had no rollout.`)
    return { rollouts: rows.map((row) => rolloutView(db, row, ctx.now)), halts: haltsOf(db) }
  },
})

function rowsOf(db: Parameters<typeof inFlightOf>[0], service: string): RolloutRow[] {
  const flying = inFlightOf(db, service)
  const last = lastRolloutOf(db, service)
  return flying.length > 0 || !last ? flying : [last]
}

function allRows(db: Parameters<typeof inFlightOf>[0]): RolloutRow[] {
  const services = db.all<{ service: string }>('SELECT DISTINCT service FROM deploy_rollout ORDER BY service')
  const flying = rolloutsInFlight(db)
  return [...flying, ...services.flatMap(({ service }) => (flying.some((row) => row.service === service) ? [] : rowsOf(db, service)))]
}

export const deployHistory = defineQuery({
  name: 'deploy.history',
  summary: 'List the releases and rollouts of a service, with outcome and who.',
  input: z.strictObject({ service: z.string().min(1), limit: z.coerce.number().int().min(1).max(1000).prefault(50) }),
  output: historySchema,
  answer: (db, input, ctx) => {
    const view = historyView(db, input.service, input.limit, ctx.now)
    return isRefusal(view) ? view : view
  },
})

export const deployProfiles = defineQuery({
  name: 'deploy.profiles',
  summary: 'List the rollout profiles.',
  input: z.strictObject({}),
  output: z.object({ profiles: z.array(profileSchema) }),
  answer: () => ({ profiles: Object.values(PROFILES) }),
})

/** Live evidence is soft state of the server, so it answers these itself; the views are pure all the same. */
export const deployWatch = defineAction({
  name: 'deploy.watch',
  summary: 'Show one rollout with its live evidence: the view model of `deploy watch`.',
  isMutation: false,
  input: z.strictObject({ rollout: z.string().min(1) }),
  output: watchSchema,
})

export const deployWhy = defineAction({
  name: 'deploy.why',
  summary: 'Explain a rollout: each verdict with its numbers, and the present evidence.',
  isMutation: false,
  input: z.strictObject({ rollout: z.string().min(1), step: z.coerce.number().int().min(1).optional() }),
  output: whySchema,
})
