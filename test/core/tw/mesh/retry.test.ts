import { describe, expect, it } from 'vitest'
import type { MeshFault } from '../../../../src/core/contracts/mesh.ts'
import { faultFor, type FaultState } from '../../../../src/core/tw/mesh/fault.ts'
import { backoffMs, countRequest, createBudget, mayRetry, takeRetry } from '../../../../src/core/tw/mesh/retry.ts'

describe('retries', () => {
  it('only idempotent methods are retried once something was sent; any method when nothing was', () => {
    expect(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'].every((method) => mayRetry(method, 'reset', true))).toBe(true)
    expect([mayRetry('POST', 'reset', true), mayRetry('PATCH', 'unavailable', true), mayRetry('POST', 'connect', true)]).toEqual([
      false,
      false,
      true,
    ])
    expect(mayRetry('PUT', 'connect', false)).toBe(false)
  })

  it('the budget is 20 % of the last ten seconds, at least ten a second, and comes back with time', () => {
    const budget = createBudget()
    const take = (nowMs: number): number => {
      let taken = 0
      while (takeRetry(budget, nowMs, 200_000)) taken += 1
      return taken
    }
    expect(take(1_000_000)).toBe(100)
    for (let i = 0; i < 5000; i += 1) countRequest(budget, 1_005_000)
    expect(take(1_005_000)).toBe(900)
    expect(take(1_014_999)).toBe(100)
    expect(take(1_015_000)).toBe(0)
    expect(take(1_025_000)).toBe(100)
  })

  it('waits with full jitter over 25 ms, doubled each time', () => {
    expect([backoffMs(1, () => 0.999), backoffMs(3, () => 0.5), backoffMs(2, () => 0)]).toEqual([24.975, 50, 0])
  })
})

describe('faults', () => {
  const fault: MeshFault = {
    id: 'f',
    run: '1',
    kind: 'status',
    share: 500_000,
    salt: 's',
    delayMs: 0,
    jitterMs: 0,
    status: 503,
    match: {},
    untilMs: 1000,
    usersMax: 10,
  }
  const hit = (state: FaultState, key: string, nowMs = 0, method = 'GET', path = '/') =>
    faultFor([state], { method, path, subset: 'v1', key }, nowMs) !== null
  const fresh = (more: Partial<MeshFault> = {}): FaultState => ({ fault: { ...fault, ...more }, users: new Set(), hits: 0 })

  it('hits always the same users, never more of them than allowed, and nobody after its end', () => {
    const state = fresh()
    const users = Array.from({ length: 200 }, (_, i) => `u${i}`)
    const first = users.filter((user) => hit(state, user))
    expect(first).toHaveLength(10)
    expect(users.filter((user) => hit(state, user))).toEqual(first)
    expect(users.some((user) => hit(state, user, 1000))).toBe(false)
  })

  it('hits its share of users, and only what its match names', () => {
    const state = fresh({ share: 100_000, usersMax: 1e9 })
    const hits = Array.from({ length: 20_000 }, (_, i) => hit(state, `u${i}`)).filter(Boolean).length
    expect(Math.abs(hits - 2000)).toBeLessThan(4 * Math.sqrt(1800))
    const only = fresh({ share: 1_000_000, match: { method: 'GET', pathPrefix: '/api', subset: 'v1' } })
    expect([hit(only, 'a', 0, 'GET', '/api/x'), hit(only, 'a', 0, 'POST', '/api/x'), hit(only, 'a', 0, 'GET', '/')]).toEqual([
      true,
      false,
      false,
    ])
  })
})
