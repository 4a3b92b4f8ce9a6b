import { createPrng } from '../../../core/kernel/prng.ts'

const SERVICES = ['news-feed', 'login', 'messaging', 'search', 'photos', 'ads', 'notifications', 'profile']
const REGIONS = ['eu-north', 'eu-west', 'us-east', 'ap-south']
const METHODS = ['GET', 'GET', 'GET', 'POST', 'PUT']
const MESSAGES = ['ok', 'cached', 'connection reset by peer', 'upstream timed out', 'retried once']

/** A trace id by its row's number, so that one can be asked for again. */
export const traceIdOf = (row: number): string =>
  createPrng(row)
    .below(2 ** 32)
    .toString(16)
    .padStart(8, '0')
    .repeat(4)

/**
 * Rows as requests of a fleet have them, 20 columns and about 420 bytes each, as NDJSON; the same for the same numbers.
 * @param fromMs time of row 0; the next is `everyMs` later
 */
export function requestRows(first: number, count: number, fromMs: number, everyMs: number): string {
  const lines: string[] = []
  for (let i = first; i < first + count; i += 1) {
    const random = createPrng(i * 2 + 1)
    const pick = <T>(from: readonly T[]): T => from[random.below(from.length)] as T
    const service = pick(SERVICES)
    const isBad = random.next() < 0.005
    const latency = Math.round(Math.exp(3 + random.next() * 2 + (isBad ? 2 : 0)) * 100) / 100
    lines.push(
      JSON.stringify({
        time: Math.floor(fromMs + i * everyMs),
        service,
        route: `/v1/${service}/${pick(['items', 'slots', 'users'])}/${pick(['list', 'rank', 'get', 'put'])}`,
        method: pick(METHODS),
        status: isBad ? 503 : 200,
        latency_ms: latency,
        region: pick(REGIONS),
        host: `${service}-${random.below(400)}`,
        release: '2026.48.1',
        arm: random.next() < 0.01 ? 'canary' : 'primary',
        user_id: `u${random.below(3_000_000)}`,
        country: pick(['SE', 'DE', 'US', 'IN', 'MX']),
        trace_id: traceIdOf(i),
        span_id: random
          .below(2 ** 32)
          .toString(16)
          .padStart(16, '0'),
        bytes_in: random.below(4000),
        bytes_out: random.below(40_000),
        sample_rate: 1,
        cache_hit: random.next() < 0.6,
        timed_out: isBad && random.next() < 0.3,
        message: pick(MESSAGES),
      }),
    )
  }
  return `${lines.join('\n')}\n`
}
