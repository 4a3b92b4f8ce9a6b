import { afterEach, beforeEach, expect, test } from 'vitest'
import { FEATURES } from '../../../../src/core/delos/virtual-log/features.ts'
import { genesis } from '../../../../src/core/delos/virtual-log/genesis.ts'
import { nextValue, planFor, type Intent } from '../../../../src/core/delos/virtual-log/plan.ts'
import { serversIn, type RegisterValue } from '../../../../src/core/delos/virtual-log/value.ts'
import { createLogger } from '../../../../src/platform/logger.ts'
import type { Aside } from '../../../../src/server/delos/serve/aside.ts'
import { createMembers, type Members } from '../../../../src/server/delos/serve/members.ts'

const [A, B] = ['000000000000000a', '000000000000000b'] as const
const TAIL = 5001

/** What servers tell each other, with the network and the servers of a test behind it. */
interface Other {
  isSilent: boolean
  applied: number
  syncMs: number
  clockOffMs: number
  features: typeof FEATURES
}
let value: RegisterValue
let other: Other
let members: Members
let theirs: Members

/** A log whose register takes every change at once. */
function logOf(syncMs: () => number): object {
  return {
    value: () => value,
    tail: () => TAIL,
    role: () => ({ isLeader: false }),
    syncStats: () => ({ p50Ms: syncMs() / 4, p99Ms: syncMs() }),
    change: async (intent: Intent, guard: (base: RegisterValue) => string | null) => {
      const problem = guard(value)
      if (problem !== null) return { kind: 'refused', problem }
      const plan = planFor(value, intent, 1)
      if (plan.kind !== 'change') return { kind: 'refused', problem: plan.kind }
      value = nextValue(value, plan.change, plan.change.segment === null ? null : { loglet: value.version + 50, tail: TAIL, lastRound: 1 })
      return { kind: 'done', value }
    },
  }
}

beforeEach(async () => {
  value = genesis('00000000000000aa', [{ id: A, name: 'a', addresses: [] }])
  other = { isSilent: false, applied: TAIL - 1, syncMs: 2, clockOffMs: 0, features: FEATURES }
  const listeners: Record<'a' | 'b', Map<string, (body: never) => void>> = { a: new Map(), b: new Map() }
  const asideOf = (self: 'a' | 'b'): Aside => {
    const to = self === 'a' ? 'b' : 'a'
    const tell = (what: string, body: unknown): void => {
      if (other.isSilent) return
      // The clock of b is what a sees off.
      const isOff = self === 'b' && typeof body === 'object' && body !== null && 'nowMs' in body
      const said = isOff ? { ...body, nowMs: Number(body.nowMs) + other.clockOffMs } : body
      setImmediate(() => listeners[to].get(what)?.(said as never))
    }
    return { tell, announce: () => undefined, onTell: (what: string, listener: never) => void listeners[self].set(what, listener) } as never
  }
  const shared = { clusterToken: 'muster', logger: createLogger(null), listen: async () => undefined }
  members = createMembers({
    ...{ ...shared, log: logOf(() => 1) as never, applied: () => TAIL - 1, aside: asideOf('a'), self: 10n, features: FEATURES },
  })
  theirs = createMembers({
    ...{ ...shared, log: logOf(() => other.syncMs) as never, applied: () => other.applied, aside: asideOf('b'), self: 11n },
    ...{ features: other.features, region: 'eu' },
  })
  const plan = planFor(value, { kind: 'members', changes: [{ kind: 'add', id: B, name: 'b', addresses: [], role: 'learner' }] }, 1)
  if (plan.kind !== 'change') throw new Error(plan.kind)
  value = nextValue(value, plan.change, { loglet: 50, tail: TAIL, lastRound: 1 })
})
afterEach(() => {
  members.stop()
  theirs.stop()
})

const promote = async (): Promise<string> => (await members.promote([11n]))?.why ?? 'done'

test('a learner that is well becomes a voter, and says how its disk, its clock and its place are', async () => {
  other.clockOffMs = 300
  const state = (await members.ask()).get(2)
  expect(state).toMatchObject({ isReachable: true, lagBatches: 0, syncP50Ms: 0.5, syncP99Ms: 2, region: 'eu' })
  expect(state?.clockOffMs).toBeGreaterThan(250)
  expect(await promote()).toBe('done')
  expect(serversIn(value, 'voter')).toEqual([1, 2])
})

test('one whose disk is slow is refused', async () => {
  other.syncMs = 51
  expect(await promote()).toContain('the disk of server 2 (b) syncs in 51 ms (p99); 50 are allowed')
})

test('one that is far behind is refused', async () => {
  other.applied = TAIL - 1 - 1001
  expect(await promote()).toContain('1001 batches behind; 1000 are allowed')
})

test('one that lacks what was there when it spoke before is refused, however little that is', async () => {
  other.applied = TAIL - 1 - 3
  expect(await promote()).toContain('server 2 (b) has not taken in yet 3 batches')
  other.applied = TAIL - 1
  expect(await promote()).toBe('done')
})

test.each([[900], [-900]])('one whose clock is %i ms off is refused', async (off) => {
  other.clockOffMs = off
  expect(await promote()).toMatch(/the clock of server 2 \(b\) is -?[89]\d\d\b.* ms off; 500 are allowed/)
})

test('one that does not answer within a second is refused, although it was there a moment ago', async () => {
  await members.ask()
  other.isSilent = true
  expect(members.health().get(2)?.isReachable).toBe(true)
  const startedAt = performance.now()
  expect(await promote()).toContain('server 2 (b) does not answer')
  expect(performance.now() - startedAt).toBeLessThan(3000)
})

test('one that lacks a feature which is enabled is refused', async () => {
  value = { ...value, features: [{ name: 'of-tomorrow', since: 1 }] }
  expect(await promote()).toContain('server 2 (b) does not know of-tomorrow')
})
