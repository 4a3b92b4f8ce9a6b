import { describe, expect, it } from 'vitest'
import { measure, valueOf } from '../../../src/server/chaos/measure.ts'
import { LiveAggregate, histBucket } from '../../../src/core/scuba/live/aggregate.ts'
import type { Check } from '../../../src/core/chaos/spec/checks.ts'

const NOW = 1_700_000_000_000
const check: Check = {
  name: 'c',
  kind: 'guard',
  source: { measure: 'error_ratio', service: 'web', windowMs: 5000 },
  min: 0,
  max: 1,
  requestsMin: 0,
  fromBaseline: false,
}

/** `perSecond` requests in each of the last five seconds, one in ten failing, 1 to 100 ms. */
function traffic(newestMs = NOW): LiveAggregate {
  const live = new LiveAggregate()
  for (let second = 0; second < 5; second += 1) {
    for (let i = 1; i <= 100; i += 1)
      live.addCounts('web', Math.floor(newestMs / 1000) - second, 'primary', 'v1', 1, i % 10 === 0 ? 1 : 0, histBucket(i))
  }
  return live
}

describe('a look at a check', () => {
  const read = (live: LiveAggregate) => live.read('web', NOW - 5000, null, NOW)

  it('gives ratio, rate and percentiles of the window', () => {
    expect(valueOf(read(traffic()), 'error_ratio', 5000, NOW)).toEqual({ value: 0.1, requests: 500 })
    expect(valueOf(read(traffic()), 'requests_per_second', 5000, NOW).value).toBe(100)
    expect(valueOf(read(traffic()), 'p50_ms', 5000, NOW).value).toBeCloseTo(50, -1)
    expect(valueOf(read(traffic()), 'p99_ms', 5000, NOW).value).toBeGreaterThan(97)
  })

  it('without rows, with rows that stopped three seconds ago, or without a store, is no data', async () => {
    expect(valueOf(read(new LiveAggregate()), 'error_ratio', 5000, NOW).value).toBeNull()
    expect(valueOf(read(traffic(NOW - 4500)), 'error_ratio', 5000, NOW).value).toBeNull()
    const away = { live: () => Promise.reject(new Error('away')), query: () => Promise.reject(new Error('away')) }
    expect(await measure(away, check, NOW)).toEqual({ atMs: NOW, value: null, requests: null })
    expect((await measure(away, { ...check, source: { sql: 'select 1' } }, NOW)).value).toBeNull()
  })
})
