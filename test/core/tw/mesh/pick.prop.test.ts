import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createPrng } from '../../../../src/core/kernel/prng.ts'
import { createEwma, observeLatency, readLatency } from '../../../../src/core/tw/mesh/latency.ts'
import { type Candidate, costOf, pickOfTwo } from '../../../../src/core/tw/mesh/pick.ts'
import { serviceName, serviceOf } from '../../../../src/core/tw/mesh/route.ts'

const candidate = (running: number, latencyMs: number, weight = 100): Candidate => ({
  running,
  weight,
  latency: { valueMs: latencyMs, atMs: 0 },
})

describe('two choices', () => {
  it('never takes the costliest of three or more', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(50), fc.integer({ min: 1, max: 1000 })), { minLength: 3, maxLength: 10 }),
        fc.integer(),
        (loads, seed) => {
          const pool = loads.map(([running, latencyMs]) => candidate(running, latencyMs))
          const random = createPrng(seed).next
          const costs = pool.map((each) => costOf(each, 0, 1))
          const worst = pool[costs.indexOf(Math.max(...costs))]!
          const isUniqueWorst = costs.filter((cost) => cost === Math.max(...costs)).length === 1
          for (let i = 0; i < 20 && isUniqueWorst; i += 1) expect(pickOfTwo(pool, 0, 1, random)).not.toBe(worst)
        },
      ),
    )
  })

  it('spreads over equal endpoints within 10 %', () => {
    const pool = Array.from({ length: 5 }, () => candidate(0, 10))
    const counts = new Map<Candidate, number>()
    const random = createPrng(7).next
    for (let i = 0; i < 50_000; i += 1) {
      const picked = pickOfTwo(pool, 0, 1, random)!
      counts.set(picked, (counts.get(picked) ?? 0) + 1)
    }
    for (const count of counts.values()) expect(Math.abs(count - 10_000)).toBeLessThan(1000)
  })

  it('weight 0 gets nothing while another has more; without samples the median counts', () => {
    const pool = [candidate(0, 1, 0), candidate(9, 100)]
    for (let i = 0; i < 20; i += 1) expect(pickOfTwo(pool, 0, 1, Math.random)).toBe(pool[1])
    expect(costOf({ running: 1, weight: 100, latency: createEwma() }, 0, 50)).toBe(1)
  })
})

describe('latency average', () => {
  it('jumps to a worse sample, comes back slowly, and fades without samples', () => {
    const ewma = createEwma()
    observeLatency(ewma, 10, 0)
    observeLatency(ewma, 500, 1)
    expect(readLatency(ewma, 1)).toBe(500)
    observeLatency(ewma, 10, 1001)
    expect(readLatency(ewma, 1001)).toBeGreaterThan(400)
    expect(readLatency(ewma, 60_000)).toBeLessThan(3)
  })
})

describe('route', () => {
  it('short, mesh and full names lead to the service, with and without a port; a single service takes any host', () => {
    const both = new Map([
      ['web', 1],
      ['api', 2],
    ])
    for (const host of ['web', 'WEB', 'web:15001', 'web.mesh', 'web.default.mesh:80']) expect(serviceOf(both, null, host)).toBe(1)
    expect(serviceOf(both, null, '127.0.0.1:15001')).toBeNull()
    expect(serviceOf(both, 'api', 'web')).toBe(2)
    expect(serviceOf(both, 'nobody', 'web')).toBeNull()
    expect(serviceOf(new Map([['web', 1]]), null, '127.0.0.1:15001')).toBe(1)
    expect(serviceOf(new Map([['web', 1]]), null, 'gone.mesh:15001')).toBeNull()
    expect(serviceName('api.mesh')).toBe('api')
  })
})
