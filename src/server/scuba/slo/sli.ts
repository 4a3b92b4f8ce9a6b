import { refuse } from '../../../core/kernel/errors.ts'
import type { CompiledSlo, Objective } from '../../../core/scuba/slo/objective.ts'
import type { Counts } from '../../../core/scuba/slo/ring.ts'
import type { ScubaClient } from '../client.ts'

/** What is measured → start of the bucket in ms → counts. Buckets without rows are not there. */
export type SliCounts = Map<string, Map<number, Counts>>

export type SliClient = Pick<ScubaClient, 'live' | 'panel' | 'query' | 'send' | 'table'>

const DEADLINE_MS = 10_000

/**
 * Counts of every SLI of a service over `[fromMs, toMs)` in buckets of `stepMs`. From the live aggregate where all of them
 * are in it, else by one panel for all that share their events. Rejects unless every row could be read.
 */
export async function readSlis(
  client: SliClient,
  slo: CompiledSlo,
  fromMs: number,
  toMs: number,
  stepMs: number,
  isRecent: boolean,
): Promise<SliCounts> {
  const { objectives } = slo
  if (isRecent && objectives.every(({ isLive }) => isLive)) return fromLive(client, objectives, fromMs, toMs, stepMs)
  const found: SliCounts = new Map()
  for (const where of new Set(objectives.map((objective) => objective.where))) {
    const same = [...new Map(objectives.filter((one) => one.where === where).map((one) => [one.hash, one])).values()]
    await fromPanel(client, same, { where, fromMs, toMs, stepMs }, found)
  }
  return found
}

async function fromLive(
  client: SliClient,
  objectives: readonly Objective[],
  fromMs: number,
  toMs: number,
  stepMs: number,
): Promise<SliCounts> {
  const first = objectives[0]
  const counts = new Map<number, Counts>()
  if (first === undefined) return new Map()
  const { buckets, coverage } = await client.live({ table: 'requests', service: first.service, fromMs, toMs })
  if (coverage < 1) throw partial(coverage)
  for (const { second, requests, failing } of buckets) {
    const startMs = Math.floor((second * 1000) / stepMs) * stepMs
    const before = counts.get(startMs) ?? { good: 0, total: 0 }
    counts.set(startMs, { good: before.good + requests - failing, total: before.total + requests })
  }
  // All that are live measure the same.
  return new Map(objectives.map(({ hash }) => [hash, counts]))
}

async function fromPanel(
  client: SliClient,
  objectives: readonly Objective[],
  { where, fromMs, toMs, stepMs }: { where: string; fromMs: number; toMs: number; stepMs: number },
  found: SliCounts,
): Promise<void> {
  const table = objectives[0]?.table ?? 'requests'
  for (const { hash } of objectives) found.set(hash, new Map())
  try {
    const { groups, coverage } = await client.panel(
      {
        table,
        where,
        calc: ['count', ...objectives.map(({ good }) => `ratio(${good})`)],
        stepMs,
        sinceMs: fromMs,
        untilMs: toMs,
        deadlineMs: DEADLINE_MS,
      },
      undefined,
      { user: 'objectives', isUrgent: true },
    )
    if (coverage.rows < 1) throw partial(coverage.rows)
    for (const [startMs, total, ...ratios] of groups[0]?.series ?? []) {
      for (const [index, { hash }] of objectives.entries()) {
        found.get(hash)?.set(startMs, { good: wholeIfNear((ratios[index] ?? 0) * (total ?? 0)), total: total ?? 0 })
      }
    }
  } catch (error) {
    // A table appears with its first row: until then nothing happened.
    if ((error as { code?: string }).code !== 'SCUBA_TABLE_UNKNOWN') throw error
  }
}

/** Counts are whole unless rows are weighted by a fraction: a ratio times its count gives them back but for the last digits. */
function wholeIfNear(value: number): number {
  const whole = Math.round(value)
  return Math.abs(value - whole) < 1e-6 * Math.max(1, whole) ? whole : value
}

const partial = (share: number): Error => refuse('SCUBA_DOWN', `only ${(share * 100).toFixed(1)} % of the rows could be read`)
