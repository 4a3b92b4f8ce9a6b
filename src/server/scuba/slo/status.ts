import { refuse } from '../../../core/kernel/errors.ts'
import type { ReadDb } from '../../../core/contracts/storage.ts'
import type { ObjectiveStatus } from '../../../core/scuba/operations/slo.ts'
import type { SloEvaluation } from '../../../core/scuba/slo/evaluate.ts'
import { slo, slos, sloStates, type StoredSlo } from '../../../core/scuba/slo/queries.ts'
import { statusOf } from '../../../core/scuba/slo/status.ts'
import { compileSlo, type Objective } from '../../../core/scuba/slo/objective.ts'
import type { SliClient } from './sli.ts'
import type { SloTracker } from './tracker.ts'

const LATENCY_DEADLINE_MS = 2000
const LATENCY_KEPT_MS = 60_000

export type SloStatus = (input: { service?: string | undefined }) => Promise<{ objectives: ObjectiveStatus[] }>

/** Answers `scuba.slo.status` from what the tracker measured last and what the log says. */
export function createSloStatus(db: ReadDb, tracker: SloTracker, client: SliClient, now: () => number): SloStatus {
  const latencies = new Map<string, { atMs: number; ms: number | null }>()

  /** The percentile over the window; kept for a minute, and for longer when it cannot be had in a moment. Null before the first: the counts say as much. */
  const latencyOf = async ({ latency, table, where, hash }: Objective, evaluation: SloEvaluation | undefined): Promise<number | null> => {
    if (latency === null || evaluation === undefined) return null
    const known = latencies.get(hash)
    if (known && now() - known.atMs < LATENCY_KEPT_MS) return known.ms
    const calc = `p${Number((latency.quantile * 100).toFixed(1))}:${latency.column}`
    const sinceMs = Math.max(evaluation.windowFromMs, evaluation.dataFromMs ?? 0)
    const range = { sinceMs, untilMs: evaluation.asOfMs }
    const ms = await client
      .panel({ table, where, calc: [calc], ...range, deadlineMs: LATENCY_DEADLINE_MS })
      .then(({ groups }) => groups[0]?.values[calc] ?? null)
      .catch(() => null)
    if (latencies.size > 1000) latencies.clear()
    const newest = ms ?? known?.ms ?? null
    latencies.set(hash, { atMs: now(), ms: newest })
    return newest
  }

  const ofService = async ({ file, version }: StoredSlo): Promise<ObjectiveStatus[]> => {
    const states = sloStates(db, file.service)
    const { objectives, window } = compileSlo(file)
    return Promise.all(
      objectives.map(async (objective) => {
        const found = tracker.evaluation(file.service, objective.name)
        const evaluation = found?.version === version ? found : undefined
        return statusOf(objective, {
          window,
          state: states.find((row) => row.objective === objective.name) ?? null,
          evaluation,
          failure: tracker.tracks.get(file.service)?.failure ?? null,
          latencyMs: await latencyOf(objective, evaluation),
          nowMs: now(),
        })
      }),
    )
  }

  return async ({ service }) => {
    const wanted = slos(db).filter(({ file }) => service === undefined || file.service === service)
    if (service !== undefined && slo(db, service) === null) {
      throw refuse('NOT_FOUND', `${service} has no SLO`, { hint: 'List them with `muster scuba slo list`.' })
    }
    return { objectives: (await Promise.all(wanted.map(ofService))).flat() }
  }
}
