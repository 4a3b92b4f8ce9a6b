import fc from 'fast-check'
import { expect, test } from 'vitest'
import { delosSystem } from '../../../src/core/delos/system.ts'
import { scubaQuotaPut, scubaQuotaRm } from '../../../src/core/scuba/operations/quotas.ts'
import { scubaTableDrop, scubaTablePut, scubaTableRename } from '../../../src/core/scuba/operations/tables.ts'
import { declarationSchema } from '../../../src/core/scuba/declared/declaration.ts'
import { registryOf } from '../../../src/core/scuba/registry-state.ts'
import { scubaSystem } from '../../../src/core/scuba/system.ts'
import { isFullForOwn } from '../../../src/core/scuba/seal/pressure.ts'
import { Quotas } from '../../../src/server/scuba/leaf/quotas.ts'
import { newState } from '../../support/state.ts'

const QUOTA = { kind: 'table', name: 't', bytesPerSecond: 1000, burstBytes: 5000 } as const

test('of any senders never more comes in than the burst, the rate over the time, and what one batch may be too large', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 1, max: 20_000 })), { maxLength: 60 }), (steps) => {
      let now = 0
      const quotas = new Quotas(
        () => [QUOTA],
        () => now,
      )
      let largest = 0
      for (const [passedMs, bytes] of steps) {
        now += passedMs
        try {
          quotas.admit('t', null, bytes)
          largest = Math.max(largest, bytes)
        } catch (error) {
          const { retryAfterMs } = (error as { details: { retryAfterMs: number } }).details
          // Whoever waits as he was told gets in.
          now += retryAfterMs + 1
          quotas.admit('t', null, bytes)
          largest = Math.max(largest, bytes)
        }
        expect(quotas.counts()[0]?.takenBytes).toBeLessThanOrEqual(5000 + now + largest)
      }
    }),
  )
})

test('a batch larger than the burst gets in, a refused one costs nothing, and what failed otherwise is given back', () => {
  let now = 0
  const quotas = new Quotas(
    () => [QUOTA, { kind: 'token', name: 'ci', bytesPerSecond: 10, burstBytes: 10 }],
    () => now,
  )
  quotas.admit('t', null, 50_000).undo()
  quotas.admit('t', null, 6000)
  expect(() => quotas.admit('t', null, 1)).toThrow('the table t may send 0.001 MB a second; send again in 1 s')
  expect(() => quotas.admit('t', null, 1)).toThrow()
  now += 1001
  quotas.admit('t', null, 1)
  // Another table's quota, and the one of a token of somebody else, are no matter of these.
  quotas.admit('other', 'eve', 1e9)
  quotas.admit('muster_logs', 'ci', 10)
  expect(() => quotas.admit('muster_logs', 'ci', 1)).toThrow('the token ci')
  quotas.admit('muster_logs', null, 1e9)
  expect(quotas.counts()).toEqual([
    { kind: 'table', name: 't', takenBytes: 6001, refusedRequests: 2, refusedBytes: 2 },
    { kind: 'token', name: 'ci', takenBytes: 10, refusedRequests: 1, refusedBytes: 1 },
  ])
  expect(quotas.takeRefused()).toEqual([
    ['table:t', { requests: 2, bytes: 2 }],
    ['token:ci', { requests: 1, bytes: 1 }],
  ])
  expect(quotas.takeRefused()).toEqual([])
})

test('a quota is of a table or token that is there, goes where the table goes, and never keeps what guards read', () => {
  const state = newState([delosSystem, scubaSystem])
  const put = (kind: 'token' | 'table', name: string) => state.run(scubaQuotaPut, { kind, name, bytesPerSecond: 1e6 })
  state.run(scubaTablePut, { declaration: declarationSchema.parse({ table: 't' }) })
  expect(() => put('table', 'u')).toThrow('there is no table u')
  expect(() => put('token', 'ci')).toThrow('there is no token ci')
  expect(() => put('table', 'requests')).toThrow('rollouts and experiments stop')
  expect(() => put('table', 'muster_logs')).toThrow('never kept waiting')
  expect(put('table', 't')).toMatchObject({ bytesPerSecond: 1e6, burstBytes: 1e7 })
  expect(registryOf(state.db, 1).quotas).toEqual([{ kind: 'table', name: 't', bytesPerSecond: 1e6, burstBytes: 1e7 }])
  state.run(scubaTableRename, { table: 't', to: 'u' })
  expect(() => state.run(scubaQuotaRm, { kind: 'table', name: 't' })).toThrow('has no quota')
  state.run(scubaQuotaRm, { kind: 'table', name: 'u' })
  put('table', 'u')
  state.run(scubaTableDrop, { table: 'u' })
  expect(registryOf(state.db, 1).quotas).toEqual([])
  expect(state.replay().digest()).toBe(state.digest())
})

test("the last two hundredths of the disk are muster's own rows'", () => {
  const full = (used: number, total = 1000): boolean => isFullForOwn(total, Math.round(total * (1 - used)))
  expect([full(0.96), full(0.969), full(0.97), full(1)]).toEqual([false, false, true, true])
  expect(full(0.98, 1e12)).toBe(false)
})
