import type { Measure } from '../../core/chaos/schema.ts'
import type { Check } from '../../core/chaos/spec/checks.ts'
import type { Sample } from '../../core/chaos/guard/step.ts'
import { histEdge, type LiveAnswer } from '../../core/scuba/live/aggregate.ts'
import type { ScubaClient } from '../scuba/client.ts'

const SQL_DEADLINE_MS = 2000

/** Looks at one check. No answer, no rows, or rows that end too early are no data: `value` null. */
export async function measure(scuba: Pick<ScubaClient, 'live' | 'query'>, check: Check, nowMs: number): Promise<Sample> {
  const { source } = check
  try {
    if ('sql' in source) {
      const { rows } = await scuba.query(source.sql, { deadlineMs: SQL_DEADLINE_MS })
      const value = rows[0]?.[0]
      return { atMs: nowMs, value: typeof value === 'number' ? value : null, requests: null }
    }
    // Up to now: the second under way belongs to it, or a breach would be seen a second late.
    const fromMs = Math.floor((nowMs - source.windowMs) / 1000) * 1000
    return {
      atMs: nowMs,
      ...valueOf(await scuba.live({ table: 'requests', service: source.service, fromMs }), source.measure, source.windowMs, nowMs),
    }
  } catch {
    // The store does not answer: for a guard that is no data, which it turns into a breach by itself.
    return { atMs: nowMs, value: null, requests: null }
  }
}

/** Rows older than this at the newest say that the stream of events has stopped. */
const FRESH_MS = 3000

export function valueOf(answer: LiveAnswer, what: Measure, windowMs: number, nowMs: number): { value: number | null; requests: number } {
  let requests = 0
  let failing = 0
  const hist = new Map<number, number>()
  let newestMs = 0
  for (const bucket of answer.buckets) {
    requests += bucket.requests
    failing += bucket.failing
    if (bucket.requests > 0) newestMs = Math.max(newestMs, (bucket.second + 1) * 1000)
    for (const [edge, count] of Object.entries(bucket.hist)) hist.set(Number(edge), (hist.get(Number(edge)) ?? 0) + count)
  }
  if (requests === 0 || nowMs - newestMs > FRESH_MS) return { value: null, requests }
  switch (what) {
    case 'error_ratio':
      return { value: failing / requests, requests }
    case 'requests_per_second':
      return { value: requests / (windowMs / 1000), requests }
    case 'p50_ms':
      return { value: quantile(hist, requests, 0.5), requests }
    case 'p99_ms':
      return { value: quantile(hist, requests, 0.99), requests }
  }
}

function quantile(hist: ReadonlyMap<number, number>, total: number, share: number): number {
  let rest = total * share
  for (const bucket of [...hist.keys()].sort((a, b) => a - b)) {
    rest -= hist.get(bucket) ?? 0
    if (rest <= 0) return histEdge(bucket)
  }
  return 0
}
