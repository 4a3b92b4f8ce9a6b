import { expect, test } from 'vitest'
import { createPrng } from '../../../../src/core/kernel/prng.ts'
import { ballotOf, roundOf, serverOf } from '../../../../src/core/delos/paxos/ballot.ts'
import { LAN, wanTimers, type LogletConfig } from '../../../../src/core/delos/paxos/config.ts'
import { FRESH, type Durable, type Input, type Output } from '../../../../src/core/delos/paxos/contract.ts'
import type { Accepted, Batch, Message } from '../../../../src/core/delos/paxos/messages.ts'
import { createReplica, leaseHolds, statusOf, step, type Replica } from '../../../../src/core/delos/paxos/replica.ts'

const configOf = (self: number): LogletConfig => ({
  ...{ loglet: 1, self, voters: [1, 2, 3], learners: [4], firstPosition: 1, lastRound: 0, timers: LAN },
})
const fresh = (): Durable => ({ state: FRESH, accepted: [], committed: 0, base: { slot: 0, position: 1 }, unknown: [] })
const batch = (seq: number, position: number, kind: Batch['kind'] = 'batch'): Batch => ({
  ...{ kind, position, count: kind === 'batch' ? 1 : 0, proposerId: 7, seq, payload: new Uint8Array([seq]) },
})
const at = (slot: number, ballot: number, seq: number): Accepted => ({ slot, ballot, batch: batch(seq, slot) })

/** One server; the test is everyone else. */
class Lone {
  readonly replica: Replica
  now: number
  /** ids of writes not reported to be on disk */
  written = 0

  constructor(self: number, durable = fresh(), now = 1000) {
    this.now = now
    this.replica = createReplica(configOf(self), durable, createPrng(1), now)
  }

  give(input: DistributiveOmit<Input, 'now'>): Output {
    const output = step(this.replica, { ...input, now: this.now })
    for (const { id } of output.persist) this.written = id
    return output
  }

  hear(from: number, message: Message): Output {
    return this.give({ kind: 'message', from, message })
  }

  sync(): Output {
    return this.give({ kind: 'persisted', upTo: this.written })
  }
}
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never

const sent = <K extends Message['kind']>(output: Output, kind: K): Extract<Message, { kind: K }>[] =>
  output.send.map(({ message }) => message).filter((message): message is Extract<Message, { kind: K }> => message.kind === kind)

const accept = (ballot: number, batches: Accepted[], more: { committed?: number; isSealing?: boolean } = {}): Message => ({
  ...{ kind: 'accept', ballot, committed: 0, isSealing: false, batches },
  ...more,
})
const prepare = (ballot: number, more: { isSealing?: boolean; released?: number } = {}): Message => ({
  ...{ kind: 'prepare', ballot, from: 1, isSealing: false, released: 0 },
  ...more,
})
const heartbeat = (ballot: number, tick = 1): Message => ({
  ...{ kind: 'heartbeat', ballot, tick, committed: 0, isServing: true, isSealing: false },
})

const B2 = ballotOf(1, 2)
const B3 = ballotOf(1, 3)

/** Server 1 leading ballot (1, 1), its no-op chosen with server 2. */
function leader(): Lone {
  const lone = new Lone(1)
  lone.give({ kind: 'campaign' })
  lone.sync()
  const ballot = ballotOf(1, 1)
  lone.hear(2, { kind: 'promise', ballot, committed: 0, accepted: [], unknown: [], isSealed: false })
  lone.sync()
  lone.hear(2, { kind: 'accepted', ballot, synced: 1, tail: 1, isGap: false })
  expect(statusOf(lone.replica).role).toBe('leader')
  return lone
}
const BALLOT = ballotOf(1, 1)

test('ballots are ordered by round, then server', () => {
  expect(ballotOf(2, 1)).toBeGreaterThan(ballotOf(1, 1023))
  expect([roundOf(ballotOf(7, 5)), serverOf(ballotOf(7, 5))]).toEqual([7, 5])
})

test('on a slow network suspicion waits for five heartbeats and two round trips', () => {
  expect(wanTimers(20).suspectMs).toBe(540)
  expect(wanTimers(200).suspectMs).toBe(900)
})

test('1: a slot is acknowledged after its write is on disk, not before', () => {
  const lone = new Lone(1)
  const output = lone.hear(2, accept(B2, [at(1, B2, 1), at(2, B2, 2)]))
  expect(sent(output, 'accepted')).toEqual([])
  expect(output.persist.flatMap(({ records }) => records.map(({ slot }) => slot))).toEqual([1, 2])
  expect(sent(lone.sync(), 'accepted')).toEqual([{ kind: 'accepted', ballot: B2, synced: 2, tail: 2, isGap: false }])
})

test('2: a promise leaves after it is on disk, and a second request for it does not hurry it', () => {
  const lone = new Lone(1)
  expect(sent(lone.hear(2, prepare(B2)), 'promise')).toEqual([])
  expect(sent(lone.hear(2, prepare(B2)), 'promise')).toEqual([])
  expect(sent(lone.sync(), 'promise').length).toBe(2)
})

test('2: a candidate proposes nothing before its own promise is on disk', () => {
  const lone = new Lone(1)
  lone.give({ kind: 'campaign' })
  for (const from of [2, 3]) {
    const output = lone.hear(from, { kind: 'promise', ballot: BALLOT, committed: 0, accepted: [], unknown: [], isSealed: false })
    expect(sent(output, 'accept')).toEqual([])
  }
  expect(sent(lone.sync(), 'accept').length).toBeGreaterThan(0)
})

test('5: an acceptor takes no slot after a gap, and says from where it wants to be sent', () => {
  const lone = new Lone(1)
  const output = lone.hear(2, accept(B2, [at(2, B2, 2)]))
  expect(output.persist.flatMap(({ records }) => records)).toEqual([])
  lone.sync()
  expect(sent(lone.hear(2, accept(B2, [at(2, B2, 2)])), 'accepted')).toEqual([
    { kind: 'accepted', ballot: B2, synced: 0, tail: 0, isGap: true },
  ])
})

test('6: an acceptor takes nothing below its promise, and says which it is', () => {
  const lone = new Lone(1)
  lone.hear(3, prepare(B3))
  lone.sync()
  const output = lone.hear(2, accept(B2, [at(1, B2, 1)]))
  expect(output.persist).toEqual([])
  expect(sent(output, 'refuse')).toEqual([{ kind: 'refuse', ballot: B2, promised: B3, isSealed: false }])
})

test('7: a sealed acceptor takes nothing but what carries out the seal, also after a restart', () => {
  const lone = new Lone(1)
  const written = lone.hear(3, prepare(B3, { isSealing: true })).persist[0]?.state
  expect(written).toEqual({ promised: B3, isSealed: true, unknown: [] })
  for (const each of [lone, new Lone(1, { ...fresh(), state: { promised: B3, isSealed: true, unknown: [] } })]) {
    expect(sent(each.hear(3, accept(B3, [at(1, B3, 1)])), 'refuse')[0]?.isSealed).toBe(true)
    expect(each.hear(3, accept(B3, [at(1, B3, 1)], { isSealing: true })).persist.length).toBe(1)
  }
})

test('7: an end that was accepted seals, and is acknowledged without a second file; after a restart its record says so', () => {
  const lone = new Lone(1)
  lone.hear(3, accept(B3, [at(1, B3, 1)]))
  lone.sync()
  const end = { slot: 2, ballot: B3, batch: { ...at(2, B3, 1).batch, kind: 'end' as const, count: 0 } }
  const written = lone.hear(3, accept(B3, [end], { isSealing: true })).persist
  expect(written.map(({ state, records }) => [state, records.length])).toEqual([[null, 1]])
  const again = new Lone(1, { ...fresh(), state: { promised: B3, isSealed: false, unknown: [] }, accepted: [at(1, B3, 1), end] })
  expect(sent(again.hear(3, accept(B3, [])), 'refuse')[0]?.isSealed).toBe(true)
})

test('16: who was elected before the loglet began leads at once, and not when somebody promised more or a round is used twice', () => {
  const ahead = ballotOf(9, 1)
  const made = (promised: number): Durable => ({ ...fresh(), state: { ...FRESH, promised }, isUnused: true })
  const lone = new Lone(1, made(ahead))
  const output = lone.give({ kind: 'elected', ballot: ahead })
  expect(sent(output, 'accept').map(({ batches }) => batches.map(({ slot, batch }) => [slot, batch.kind]))[0]).toEqual([[1, 'noop']])
  // What is asked meanwhile goes out behind it at once.
  const proposal = { count: 1, proposerId: 7, seq: 1, payload: new Uint8Array(1) }
  expect(sent(lone.give({ kind: 'propose', requestId: 1, proposal }), 'accept')[0]?.batches[0]?.slot).toBe(2)
  // Who promised it takes nothing of anyone below.
  const voter = new Lone(2, made(ahead))
  expect(sent(voter.hear(3, prepare(ballotOf(8, 3))), 'refuse')[0]?.promised).toBe(ahead)
  const late = new Lone(1, made(ahead))
  late.hear(3, prepare(ballotOf(10, 3)))
  for (const [each, ballot] of [
    [late, ahead],
    [new Lone(1, made(ballotOf(8, 1))), ahead],
  ] as const)
    expect(sent(each.give({ kind: 'elected', ballot }), 'accept')).toEqual([])
})

test('7: a seal asked of the leader ends the loglet behind what was proposed, refuses what waits, and is answered when chosen', () => {
  const lone = leader()
  lone.give({ kind: 'propose', requestId: 1, proposal: { count: 3, proposerId: 7, seq: 1, payload: new Uint8Array(1) } })
  lone.give({ kind: 'seal', requestId: 2 })
  const refused = lone.give({ kind: 'propose', requestId: 3, proposal: { count: 1, proposerId: 7, seq: 2, payload: new Uint8Array(1) } })
  expect(refused.replies).toEqual([{ kind: 'append', requestId: 3, result: { kind: 'refused', why: 'sealed' } }])
  lone.sync()
  const output = lone.hear(2, { kind: 'accepted', ballot: BALLOT, synced: 3, tail: 3, isGap: false })
  expect(output.replies).toEqual([
    { kind: 'append', requestId: 1, result: { kind: 'appended', slot: 2, position: 1, count: 3 } },
    { kind: 'seal', requestId: 2, slot: 3, position: 4, round: 1 },
  ])
  expect(leaseHolds(lone.replica, lone.now)).toBe(false)
})

test('8: a lease counts from when the heartbeat left, less a tenth', () => {
  const lone = leader()
  lone.now = 1040
  const [beat] = sent(lone.give({ kind: 'tick' }), 'heartbeat')
  lone.now = 1100
  lone.hear(2, { kind: 'heartbeatReply', ballot: BALLOT, tick: beat?.tick ?? 0, synced: 1, tail: 1 })
  expect(leaseHolds(lone.replica, 1040 + 134)).toBe(true)
  expect(leaseHolds(lone.replica, 1040 + 135)).toBe(false)
})

test('8: a lease dropped because clocks disagree is not regained by an answer to an earlier heartbeat', () => {
  const lone = leader()
  lone.now = 1040
  const [beat] = sent(lone.give({ kind: 'tick' }), 'heartbeat')
  lone.give({ kind: 'dropLease' })
  lone.hear(2, { kind: 'heartbeatReply', ballot: BALLOT, tick: beat?.tick ?? 0, synced: 1, tail: 1 })
  expect(leaseHolds(lone.replica, 1041)).toBe(false)
})

test('8: an acceptor that answered a heartbeat promises no other ballot until the lease is over, but the one it was released for', () => {
  const lone = new Lone(1)
  lone.hear(2, heartbeat(B2))
  lone.sync()
  lone.now += 149
  expect(sent(lone.hear(3, prepare(B3)), 'refuse').length).toBe(1)
  expect(lone.hear(3, prepare(B3, { released: B2 })).persist.length).toBe(1)
  lone.now += 1
  expect(lone.hear(3, prepare(ballotOf(2, 3))).persist.length).toBe(1)
})

test('9: a server that starts with a promise grants nothing for a lease', () => {
  const lone = new Lone(1, { ...fresh(), state: { promised: B2, isSealed: false, unknown: [] } })
  expect(sent(lone.hear(3, prepare(B3)), 'refuse').length).toBe(1)
  lone.now += LAN.leaseMs
  expect(lone.hear(3, prepare(B3)).persist.length).toBe(1)
})

test('a leader commits what two others have on disk while its own disk is slow', () => {
  const lone = leader()
  lone.give({ kind: 'propose', requestId: 9, proposal: { count: 2, proposerId: 7, seq: 1, payload: new Uint8Array(1) } })
  expect(lone.hear(2, { kind: 'accepted', ballot: BALLOT, synced: 2, tail: 2, isGap: false }).replies).toEqual([])
  expect(lone.hear(3, { kind: 'accepted', ballot: BALLOT, synced: 2, tail: 2, isGap: false }).replies).toEqual([
    { kind: 'append', requestId: 9, result: { kind: 'appended', slot: 2, position: 1, count: 2 } },
  ])
})

test('a leader without a majority for a lease gives up: what was proposed is unknown, what waited is refused', () => {
  const lone = leader()
  for (let requestId = 1; requestId <= 9; requestId += 1) {
    lone.give({ kind: 'propose', requestId, proposal: { count: 1, proposerId: 7, seq: requestId, payload: new Uint8Array(1) } })
  }
  lone.now += LAN.leaseMs
  const results = lone.give({ kind: 'tick' }).replies.map((reply) => (reply.kind === 'append' ? reply.result.kind : reply.kind))
  expect(results).toEqual([...Array.from({ length: 8 }, () => 'unknown'), 'refused'])
})

test('damage found at start is on disk before anything else, and forgotten only when the repair is on disk', () => {
  const lone = new Lone(1, { ...fresh(), state: { promised: B2, isSealed: false, unknown: [] }, unknown: [{ from: 1, to: 1 }] })
  const [first, second] = lone.hear(2, accept(B2, [at(1, B2, 1)])).persist
  expect(first).toMatchObject({ state: { unknown: [{ from: 1, to: 1 }] }, records: [] })
  expect(second?.state).toBeNull()
  expect(lone.sync().persist[0]?.state?.unknown).toEqual([])
})

test('a planned move hands the lease over: the next leader begins at once', () => {
  const lone = leader()
  const output = lone.give({ kind: 'moveLeader', to: 2 })
  expect(sent(output, 'takeOver')).toEqual([{ kind: 'takeOver', released: BALLOT }])
  expect(statusOf(lone.replica).role).toBe('follower')
  const next = new Lone(2)
  next.hear(1, accept(BALLOT, [{ slot: 1, ballot: BALLOT, batch: batch(0, 1, 'noop') }]))
  next.hear(1, heartbeat(BALLOT))
  next.sync()
  next.hear(1, { kind: 'takeOver', released: BALLOT })
  expect(sent(next.sync(), 'promise')).toEqual([])
  expect(statusOf(next.replica).role).toBe('candidate')
})

test('a server behind a trimmed log goes on after what a snapshot holds, and is told of nothing before', () => {
  const lone = new Lone(1)
  lone.hear(2, accept(B2, [at(1, B2, 11)]))
  lone.sync()
  const installed = lone.give({ kind: 'installed', slot: 40, position: 31 })
  expect(sent(installed, 'accepted')).toEqual([{ kind: 'accepted', ballot: B2, synced: 40, tail: 40, isGap: true }])
  const next = { slot: 41, ballot: B2, batch: batch(41, 31) }
  lone.hear(2, accept(B2, [next]))
  const told = lone.hear(2, accept(B2, [], { committed: 41 }))
  expect(told.committed).toEqual([next])
})

test('what a snapshot holds is no longer unknown, and is forgotten as damage on disk', () => {
  const state = { promised: B2, isSealed: false, unknown: [{ from: 3, to: 50 }] }
  const lone = new Lone(1, { ...fresh(), state })
  const installed = lone.give({ kind: 'installed', slot: 40, position: 31 })
  expect(installed.persist.map((write) => write.state?.unknown)).toEqual([[{ from: 41, to: 50 }]])
})

test('a snapshot that is older than what is known changes nothing', () => {
  const lone = leader()
  lone.give({ kind: 'installed', slot: 90, position: 90 })
  expect(statusOf(lone.replica).committed).toBe(1)
})
