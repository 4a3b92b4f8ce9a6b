import { describe, expect, test } from 'vitest'
import { isAtLast, isCurrent, accepts, nextRead, segmentAt } from '../../../../src/core/delos/virtual-log/chain.ts'
import { nextValue, planFor, type Intent } from '../../../../src/core/delos/virtual-log/plan.ts'
import {
  createDriver,
  DRIVER_MS,
  RETRY_MS,
  stepDriver,
  type Action,
  type Driver,
  type DriverInput,
  type DriverOutput,
} from '../../../../src/core/delos/virtual-log/reconfigure.ts'
import { NOT_SEALED, ROLL_FORWARD_MS, watchSeal } from '../../../../src/core/delos/virtual-log/roll-forward.ts'
import { lastSegment, type RegisterValue } from '../../../../src/core/delos/virtual-log/value.ts'
import { createPrng } from '../../../../src/core/kernel/prng.ts'
import type { DistributiveOmit } from '../../../../sim/delos/server.ts'
import { first } from './values.ts'

const toEtcd: Intent = { kind: 'switch', to: 'etcd', config: { prefix: '/a/' } }

/** A driver, with answers given by hand. */
class Drive {
  readonly driver: Driver
  now = 1000
  last: DriverOutput

  constructor(intent: Intent, base: RegisterValue, guard: (base: RegisterValue) => string | null = () => null) {
    this.driver = createDriver({ intent, base, self: 1, prng: createPrng(7), now: this.now, guard })
    this.last = stepDriver(this.driver, { kind: 'tick', now: this.now })
  }

  feed(input: DistributiveOmit<DriverInput, 'now'>, ms = 0): DriverOutput {
    this.now += ms
    this.last = stepDriver(this.driver, { ...input, now: this.now })
    return this.last
  }

  get action(): Action {
    const [action] = this.last.actions
    if (action === undefined) throw new Error('no action')
    return action
  }

  /** Through preflight, seal and tail, to what is proposed. */
  toProposal(tail = 42, leaseUntil = 0): RegisterValue {
    const { loglet } = lastSegment(this.driver.base)
    this.feed({ kind: 'preflighted', loglet: this.driver.loglet, problem: null })
    this.feed({ kind: 'sealed', loglet, round: 6, leaseUntil })
    this.feed({ kind: 'tail', loglet, position: tail })
    if (this.action.kind !== 'propose') throw new Error(this.action.kind)
    return this.action.value
  }
}

/** What someone else made of the same version. */
function rival(base: RegisterValue, loglet = 77, intent: Intent = { kind: 'clone' }): RegisterValue {
  const plan = planFor(base, intent, 2)
  if (plan.kind !== 'change') throw new Error(plan.kind)
  return nextValue(base, plan.change, { loglet, tail: 42, lastRound: 6 })
}

describe('a change of the chain', () => {
  test('goes from preflight over seal, tail and the register to a loglet that is open', () => {
    const base = first(3)
    const drive = new Drive(toEtcd, base)
    const kinds: string[] = [drive.action.kind]
    const { loglet } = lastSegment(base)
    for (const input of [
      { kind: 'preflighted', loglet: drive.driver.loglet, problem: null },
      { kind: 'sealed', loglet, round: 6, leaseUntil: 0 },
      { kind: 'tail', loglet, position: 42 },
    ] as const) {
      drive.feed(input)
      kinds.push(drive.action.kind)
    }
    const value = drive.action.kind === 'propose' ? drive.action.value : base
    drive.feed({ kind: 'proposed', reply: { kind: 'decided', requestId: 1, value } })
    kinds.push(drive.action.kind)
    expect(kinds).toEqual(['preflight', 'seal', 'tail', 'propose', 'open'])
    expect(value.chain.map(({ kind, firstPosition, end, lastRound }) => ({ kind, firstPosition, end, lastRound }))).toEqual([
      { kind: 'quorum', firstPosition: 1, end: 42, lastRound: 0 },
      { kind: 'etcd', firstPosition: 42, end: null, lastRound: 6 },
    ])
    expect(drive.feed({ kind: 'opened', loglet: drive.driver.loglet }).outcome).toMatchObject({ kind: 'done', tries: 1, value })
  })

  test('changes nothing if the new loglet is not ready, or the guard says no', () => {
    const drive = new Drive(toEtcd, first(3))
    const output = drive.feed({ kind: 'preflighted', loglet: drive.driver.loglet, problem: 'etcd does not answer' })
    expect(output.outcome).toEqual({ kind: 'refused', problem: 'etcd does not answer' })
    expect(output.actions.map(({ kind }) => kind)).toEqual(['abandon'])
    expect(new Drive(toEtcd, first(3), () => 'not now').last).toMatchObject({
      actions: [],
      outcome: { kind: 'refused', problem: 'not now' },
    })
  })

  test('that could never be decided seals nothing', () => {
    const decider = { kind: 'quorum' as const, members: [1, 2, 9] }
    expect(new Drive({ ...toEtcd, decider }, first(3)).last).toMatchObject({
      actions: [],
      outcome: { kind: 'refused', problem: 'server 9 decides and is not a member' },
    })
    const file: Intent = { kind: 'switch', to: 'file', config: { server: 4 } }
    expect(new Drive(file, first(3)).last.outcome).toMatchObject({ kind: 'refused' })
  })

  test('waits for the lease of the old leader before the register is asked', () => {
    const base = first(3)
    const drive = new Drive(toEtcd, base)
    const { loglet } = lastSegment(base)
    drive.feed({ kind: 'preflighted', loglet: drive.driver.loglet, problem: null })
    drive.feed({ kind: 'sealed', loglet, round: 6, leaseUntil: drive.now + 100 })
    expect(drive.feed({ kind: 'tail', loglet, position: 42 }).actions).toEqual([])
    expect(drive.last.wakeAt).toBe(drive.now + 100)
    expect(drive.feed({ kind: 'tick' }, 99).actions).toEqual([])
    expect(drive.feed({ kind: 'tick' }, 1).actions.map(({ kind }) => kind)).toEqual(['propose'])
  })

  test('asks again for a step that failed, and for a proposal whose outcome is unknown with the same value', () => {
    const drive = new Drive(toEtcd, first(3))
    drive.feed({ kind: 'preflighted', loglet: drive.driver.loglet, problem: null })
    drive.feed({ kind: 'failed', loglet: 1, problem: 'no majority' })
    expect(drive.last.actions).toEqual([])
    expect(drive.feed({ kind: 'tick' }, RETRY_MS).actions.map(({ kind }) => kind)).toEqual(['seal'])
    drive.feed({ kind: 'sealed', loglet: 1, round: 6, leaseUntil: 0 })
    drive.feed({ kind: 'tail', loglet: 1, position: 42 })
    const { action } = drive
    drive.feed({ kind: 'proposed', reply: { kind: 'unknown', requestId: 1 } })
    drive.feed({ kind: 'tick' }, RETRY_MS)
    expect(drive.action).toEqual(action)
  })

  test('whose new deciders do not answer, though the log is sealed already, continues it by a clone and is refused', () => {
    const base = first(3)
    const drive = new Drive(toEtcd, base)
    drive.toProposal()
    const lost = drive.driver.loglet
    drive.feed({ kind: 'proposed', reply: { kind: 'refused', requestId: 1, why: 'unreachable', problem: 'no answer from server 3' } })
    expect(drive.last.actions).toMatchObject([
      { kind: 'abandon', loglet: lost },
      { kind: 'preflight', segment: { kind: 'quorum', config: { voters: [1, 2, 3] } } },
    ])
    const value = drive.toProposal()
    drive.feed({ kind: 'proposed', reply: { kind: 'decided', requestId: 2, value } })
    expect(drive.action).toMatchObject({ kind: 'open', segment: { kind: 'quorum', firstPosition: 42 } })
    expect(drive.feed({ kind: 'opened', loglet: drive.driver.loglet }).outcome).toEqual({
      kind: 'refused',
      problem: 'no answer from server 3',
    })
  })

  test('that may still be decided is not given up for a clone', () => {
    const drive = new Drive(toEtcd, first(3))
    const value = drive.toProposal()
    drive.feed({ kind: 'proposed', reply: { kind: 'unknown', requestId: 1 } })
    drive.feed({ kind: 'tick' }, RETRY_MS)
    drive.feed({ kind: 'proposed', reply: { kind: 'refused', requestId: 2, why: 'unreachable', problem: 'no answer from server 3' } })
    expect(drive.last.actions).toEqual([])
    expect(drive.feed({ kind: 'known', value }).actions).toMatchObject([{ kind: 'open', segment: { kind: 'etcd' } }])
  })

  test('that lost is made again on what won, with a new loglet, and given up after three tries', () => {
    const drive = new Drive(toEtcd, first(3))
    const seen = new Set<number>()
    let base = first(3)
    for (const tries of [1, 2, 3]) {
      seen.add(drive.driver.loglet)
      expect(drive.driver.tries).toBe(tries)
      drive.toProposal()
      base = rival(base, 70 + tries)
      drive.feed({ kind: 'proposed', reply: { kind: 'decided', requestId: tries, value: base } })
      expect(drive.last.actions[0]?.kind).toBe('abandon')
    }
    expect(drive.last.outcome).toEqual({ kind: 'lost', value: base, tries: 3 })
    expect(seen.size).toBe(3)
  })

  test('that someone else made already is done', () => {
    const base = first(3)
    const drive = new Drive(toEtcd, base)
    drive.toProposal()
    const value = rival(base, 77, toEtcd)
    expect(drive.feed({ kind: 'known', value }).outcome).toMatchObject({ kind: 'done', value, loglet: null })
  })

  test('is recognized as decided also when later versions came on top of it', () => {
    const base = first(3)
    const drive = new Drive(toEtcd, base)
    const own = drive.toProposal()
    const later = rival(own, 78)
    expect(drive.feed({ kind: 'known', value: later }).outcome).toMatchObject({ kind: 'done', value: later, loglet: drive.driver.loglet })
  })

  test('without a new segment seals nothing', () => {
    const drive = new Drive({ kind: 'skip', position: 7, reason: 'kills' }, first(3))
    expect(drive.action).toMatchObject({ kind: 'propose', value: { version: 2, skips: [{ position: 7 }] } })
    const value = drive.action.kind === 'propose' ? drive.action.value : first(3)
    expect(drive.feed({ kind: 'proposed', reply: { kind: 'decided', requestId: 1, value } }).outcome).toMatchObject({ kind: 'done' })
  })

  test('ends after half a minute, whatever is missing', () => {
    const drive = new Drive(toEtcd, first(3))
    drive.feed({ kind: 'preflighted', loglet: drive.driver.loglet, problem: null })
    drive.feed({ kind: 'failed', loglet: 1, problem: 'no majority' })
    expect(drive.feed({ kind: 'tick' }, DRIVER_MS).outcome).toEqual({ kind: 'unfinished', phase: 'seal', problem: 'no majority' })
  })
})

describe('a sealed segment without a successor', () => {
  test('is continued after half a second, by a clone of its loglet', () => {
    const prng = createPrng(1)
    let watch = watchSeal(NOT_SEALED, 1, false, 0, prng).watch
    ;({ watch } = watchSeal(watch, 1, true, 100, prng))
    expect(watchSeal(watch, 1, true, 100 + ROLL_FORWARD_MS - 1, prng).isDue).toBe(false)
    expect(watchSeal(watch, 1, true, 100 + ROLL_FORWARD_MS + 150, prng).isDue).toBe(true)
    // A successor came: the new segment's own time begins.
    expect(watchSeal(watch, 2, true, 100 + ROLL_FORWARD_MS + 150, prng).isDue).toBe(false)
    const drive = new Drive({ kind: 'clone' }, first(3))
    expect(drive.action).toMatchObject({ kind: 'preflight', segment: { kind: 'quorum', config: { voters: [1, 2, 3], opener: 1 } } })
  })

  test('is tried until it works: a preflight that fails does not end it, another server that was faster does', () => {
    const drive = new Drive({ kind: 'clone' }, first(3))
    drive.feed({ kind: 'preflighted', loglet: drive.driver.loglet, problem: 'no majority' })
    expect(drive.last.outcome).toBeNull()
    expect(drive.feed({ kind: 'tick' }, RETRY_MS).actions.map(({ kind }) => kind)).toEqual(['preflight'])
    expect(drive.feed({ kind: 'known', value: rival(first(3)) }).outcome).toMatchObject({ kind: 'done' })
  })
})

describe('reading over a chain', () => {
  const two = rival(first(3), 77)
  // A segment in which nothing was written.
  const three = nextValue(two, { ...two, enables: null, segment: { kind: 'etcd', config: {} } }, { loglet: 80, tail: 42, lastRound: 6 })

  test('a position is in one segment; one without entries has none', () => {
    expect([1, 41, 42, 1000].map((position) => segmentAt(three, position)?.loglet)).toEqual([1, 1, 80, 80])
    expect(nextRead(three, 40)).toMatchObject({ segment: { loglet: 1 }, from: 40, to: 42 })
    expect(nextRead(three, 42)).toMatchObject({ segment: { loglet: 80 }, to: null })
    expect(nextRead({ ...three, chain: three.chain.slice(2) }, 41)).toBeNull()
  })

  test('a batch is taken when it is next, and from nowhere behind the end of its segment', () => {
    expect(accepts(two, { position: 40 }, 1, 40, 2)).toBe(true)
    expect(accepts(two, { position: 40 }, 77, 42, 1)).toBe(false)
    expect(accepts(two, { position: 42 }, 77, 42, 1)).toBe(true)
    expect(accepts(two, { position: 42 }, 9, 42, 1)).toBe(false)
    expect(() => accepts(two, { position: 41 }, 1, 41, 2)).toThrow(/behind its end/)
  })

  test('appends go on when all before the last segment was read, reads by a lease when all that it chose was applied', () => {
    expect([41, 42].map((position) => isAtLast(two, position))).toEqual([false, true])
    expect([isCurrent(two, 42, 43), isCurrent(two, 43, 43), isCurrent(two, 41, 41)]).toEqual([false, true, false])
  })
})
