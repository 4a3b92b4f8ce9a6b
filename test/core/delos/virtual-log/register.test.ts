import { describe, expect, test } from 'vitest'
import { ballotOf } from '../../../../src/core/delos/paxos/ballot.ts'
import { nextValue, planFor, type Intent } from '../../../../src/core/delos/virtual-log/plan.ts'
import {
  EMPTY_REGISTER,
  type RegisterInput,
  type RegisterOutput,
  type RegisterState,
} from '../../../../src/core/delos/virtual-log/register-contract.ts'
import { decodeRegisterFile, encodeRegisterSlot, generationOf, slotsToWrite } from '../../../../src/core/delos/virtual-log/register-file.ts'
import {
  decodeRegisterMessage,
  encodeRegisterMessage,
  type RegisterMessage,
} from '../../../../src/core/delos/virtual-log/register-messages.ts'
import { createRegister, OFFER_MS, PROPOSAL_MS, stepRegister, type Register } from '../../../../src/core/delos/virtual-log/register.ts'
import { decodeValue, encodeValue, type RegisterValue } from '../../../../src/core/delos/virtual-log/value.ts'
import { createPrng } from '../../../../src/core/kernel/prng.ts'
import type { DistributiveOmit } from '../../../../sim/delos/server.ts'
import { first } from './values.ts'

const after = (base: RegisterValue, intent: Intent, loglet = base.version + 100): RegisterValue => {
  const plan = planFor(base, intent, 1)
  if (plan.kind !== 'change') throw new Error(`plans ${JSON.stringify(plan)}`)
  return nextValue(base, plan.change, plan.change.segment === null ? null : { loglet, tail: 10 * base.version, lastRound: 1 })
}
const feature = (base: RegisterValue, name: string): RegisterValue => after(base, { kind: 'feature', name, since: 1 })

/** Servers whose disks sync when told to, and messages that are carried by hand or all at once. */
class Cluster {
  readonly registers = new Map<number, Register>()
  readonly disks = new Map<number, RegisterState>()
  readonly outputs: { server: number; output: RegisterOutput }[] = []
  readonly mail: { from: number; to: number; message: RegisterMessage }[] = []
  readonly silent = new Set<number>()
  etcd: { modRevision: number; bytes: Uint8Array } | null = null
  isEtcdSilent = false
  /** servers that have everything before the last segment on their disks */
  readonly caughtUp = new Set<number>()
  now = 1000

  constructor(states: Record<number, RegisterState>) {
    for (const [server, state] of Object.entries(states)) this.start(Number(server), state)
  }

  start(server: number, state: RegisterState): void {
    this.disks.set(server, state)
    this.registers.set(server, createRegister(server, state, createPrng(server), this.now))
  }

  /** One input; what it persists is on disk at once unless `isSynced` is false. */
  feed(server: number, input: DistributiveOmit<RegisterInput, 'now'>, isSynced = true): RegisterOutput {
    const register = this.registers.get(server) as Register
    const output = stepRegister(register, { ...input, now: this.now })
    this.outputs.push({ server, output })
    for (const { to, message } of output.send) this.mail.push({ from: server, to, message })
    for (const { requestId, ask } of output.etcd) this.#etcd(server, requestId, ask)
    const last = output.persist.at(-1)
    if (last !== undefined && isSynced) {
      this.disks.set(server, last.state)
      this.feed(server, { kind: 'persisted', upTo: last.id })
    }
    return output
  }

  #etcd(server: number, requestId: number, ask: RegisterOutput['etcd'][number]['ask']): void {
    if (this.isEtcdSilent) return void this.feed(server, { kind: 'etcd', requestId, answer: { kind: 'unknown' } })
    const modRevision = this.etcd?.modRevision ?? 0
    if (ask.kind === 'cas' && ask.modRevision === modRevision) {
      this.etcd = { modRevision: modRevision + 5, bytes: ask.bytes }
      this.feed(server, { kind: 'etcd', requestId, answer: { kind: 'put', modRevision: modRevision + 5 } })
    } else this.feed(server, { kind: 'etcd', requestId, answer: { kind: 'is', modRevision, bytes: this.etcd?.bytes ?? null } })
  }

  carryAll(): void {
    for (let next = this.mail.shift(); next !== undefined; next = this.mail.shift()) {
      const { from, to, message } = next
      const isLost = this.silent.has(to) || this.silent.has(from) || !this.registers.has(to)
      if (!isLost) this.feed(to, { kind: 'message', from, message, isCaughtUp: this.caughtUp.has(to) })
    }
  }

  pass(ms: number): void {
    for (const end = this.now + ms; this.now < end; this.now += 20) {
      for (const server of this.registers.keys()) if (!this.silent.has(server)) this.feed(server, { kind: 'tick' })
      this.carryAll()
    }
  }

  get replies(): RegisterOutput['replies'] {
    return this.outputs.flatMap(({ output }) => output.replies)
  }

  held(server: number): number {
    return this.disks.get(server)?.held?.version ?? 0
  }
}

const holding = (held: RegisterValue): RegisterState => ({ ...EMPTY_REGISTER, held })
const three = (held: RegisterValue): Record<number, RegisterState> => ({ 1: holding(held), 2: holding(held), 3: holding(held) })

describe('a version among several servers', () => {
  test('is decided by a majority, and everyone hears of it', () => {
    const base = first(3)
    const cluster = new Cluster(three(base))
    cluster.silent.add(3)
    cluster.feed(1, { kind: 'propose', requestId: 7, value: feature(base, 'a') })
    cluster.carryAll()
    expect(cluster.replies).toEqual([{ kind: 'decided', requestId: 7, value: feature(base, 'a') }])
    expect([1, 2, 3].map((server) => cluster.held(server))).toEqual([2, 2, 1])
    // Who missed it asks, or is asked.
    cluster.silent.clear()
    cluster.pass(2000)
    expect(cluster.held(3)).toBe(2)
  })

  test('of two proposals one is decided, and the other proposer is given it', () => {
    const base = first(3)
    const cluster = new Cluster(three(base))
    cluster.feed(1, { kind: 'propose', requestId: 1, value: feature(base, 'a') })
    cluster.feed(3, { kind: 'propose', requestId: 2, value: feature(base, 'b') })
    cluster.carryAll()
    cluster.pass(1000)
    const decided = cluster.replies.filter((reply) => reply.kind === 'decided').map(({ value }) => value.features[0]?.name)
    expect(decided).toHaveLength(2)
    expect(new Set(decided).size).toBe(1)
  })

  test('without a majority nothing is decided: refused before phase 2, unknown after it began', () => {
    const base = first(3)
    const cluster = new Cluster(three(base))
    cluster.silent.add(2).add(3)
    cluster.feed(1, { kind: 'propose', requestId: 1, value: feature(base, 'a') })
    cluster.pass(PROPOSAL_MS + 100)
    expect(cluster.replies).toMatchObject([{ kind: 'refused', why: 'unreachable', problem: 'no answer about the chain from server 2, 3' }])
    cluster.silent.clear()
    cluster.feed(1, { kind: 'propose', requestId: 2, value: feature(base, 'a') })
    while (cluster.mail[0]?.message.kind !== 'accept') {
      const { from, to, message } = cluster.mail.shift() as (typeof cluster.mail)[number]
      cluster.feed(to, { kind: 'message', from, message })
    }
    cluster.mail.length = 0
    cluster.silent.add(2).add(3)
    cluster.pass(PROPOSAL_MS + 100)
    expect(cluster.replies.at(-1)).toEqual({ kind: 'unknown', requestId: 2 })
  })

  test('what was accepted by a majority is what a later proposer decides, whatever it wanted', () => {
    const base = first(3)
    const cluster = new Cluster(three(base))
    cluster.feed(1, { kind: 'propose', requestId: 1, value: feature(base, 'a') })
    // Up to the second acceptance, of which the proposer does not hear.
    for (let accepts = 0; accepts < 1;) {
      const { from, to, message } = cluster.mail.shift() as (typeof cluster.mail)[number]
      if (message.kind === 'accept') accepts += 1
      cluster.feed(to, { kind: 'message', from, message })
    }
    cluster.mail.length = 0
    cluster.silent.add(1)
    cluster.feed(3, { kind: 'propose', requestId: 2, value: feature(base, 'b') })
    cluster.pass(1000)
    expect(cluster.replies).toMatchObject([{ kind: 'decided', requestId: 2, value: { features: [{ name: 'a' }] } }])
  })

  test('a promise and an acceptance leave only when they are on disk', () => {
    const base = first(3)
    const cluster = new Cluster(three(base))
    const prepare: RegisterMessage = { kind: 'prepare', version: 2, ballot: 1025, base }
    const promised = cluster.feed(2, { kind: 'message', from: 1, message: prepare }, false)
    expect(promised.send).toEqual([])
    expect(promised.persist).toHaveLength(1)
    expect(cluster.feed(2, { kind: 'persisted', upTo: promised.persist[0]?.id ?? 0 }).send.map(({ message }) => message.kind)).toEqual([
      'promise',
    ])
    const accept: RegisterMessage = { kind: 'accept', version: 2, ballot: 1025, value: feature(base, 'a'), base }
    const accepted = cluster.feed(2, { kind: 'message', from: 1, message: accept }, false)
    expect(accepted.send).toEqual([])
    expect(accepted.persist[0]?.state.accepted?.ballot).toBe(1025)
  })

  test('a promise outlives the process: a lower ballot is refused after a restart', () => {
    const base = first(3)
    const cluster = new Cluster(three(base))
    cluster.feed(2, { kind: 'message', from: 3, message: { kind: 'prepare', version: 2, ballot: 2051, base } })
    cluster.start(2, cluster.disks.get(2) as RegisterState)
    cluster.mail.length = 0
    cluster.feed(2, { kind: 'message', from: 1, message: { kind: 'accept', version: 2, ballot: 1025, value: feature(base, 'a'), base } })
    expect(cluster.mail).toEqual([{ from: 2, to: 1, message: { kind: 'refuse', version: 2, ballot: 1025, promised: 2051 } }])
  })

  test('a version is known here only when it is on disk here', () => {
    const base = first(3)
    const cluster = new Cluster(three(base))
    expect(cluster.feed(2, { kind: 'tick' }).known).toEqual([base])
    const learned = cluster.feed(2, { kind: 'message', from: 1, message: { kind: 'known', value: feature(base, 'a') } }, false)
    expect(learned.known).toEqual([])
    const id = learned.persist[0]?.id ?? 0
    expect(cluster.feed(2, { kind: 'persisted', upTo: id }).known.map(({ version }) => version)).toEqual([2])
  })

  test('what was accepted here is on disk here: that it is decided waits for no other write, and not before that one', () => {
    const base = first(3)
    const cluster = new Cluster(three(base))
    const value = feature(base, 'a')
    const ballot = ballotOf(1, 1)
    const known = { kind: 'message', from: 1, message: { kind: 'known', value } } as const
    const accept = { kind: 'message', from: 1, message: { kind: 'accept', version: 2, ballot, value, base } } as const
    cluster.feed(2, { kind: 'tick' })
    cluster.feed(2, accept)
    expect(cluster.feed(2, known, false).known).toEqual([value])
    // Not on disk yet: it waits for that.
    cluster.feed(3, { kind: 'tick' })
    const id = cluster.feed(3, accept, false).persist[0]?.id ?? 0
    expect(cluster.feed(3, known, false).known).toEqual([])
    expect(cluster.feed(3, { kind: 'persisted', upTo: id }).known).toEqual([value])
    // Another value than the one that was accepted was never written here.
    const other = new Cluster(three(base))
    other.feed(2, { kind: 'tick' })
    other.feed(2, accept)
    expect(other.feed(2, { ...known, message: { kind: 'known', value: feature(base, 'b') } }, false).known).toEqual([])
  })

  test('what was decided and acted on is found again by who accepted it, though nobody left had it as decided', () => {
    const base = first(3)
    const value = feature(base, 'a')
    const accepted = { ballot: ballotOf(1, 1), value }
    const cluster = new Cluster({
      1: { ...holding(base), promised: accepted.ballot, accepted },
      2: { ...holding(base), promised: accepted.ballot, accepted },
      3: holding(base),
    })
    cluster.pass(200)
    expect([1, 2, 3].map((server) => cluster.held(server))).toEqual([2, 2, 2])
    expect(cluster.replies).toEqual([])
  })

  test('with phase 1 made ahead, a proposal begins with phase 2', () => {
    const base = first(3)
    const cluster = new Cluster(three(base))
    cluster.feed(1, { kind: 'reserve' })
    cluster.carryAll()
    const output = cluster.feed(1, { kind: 'propose', requestId: 1, value: feature(base, 'a') })
    expect(output.send.map(({ message }) => message.kind)).toEqual(['accept', 'accept'])
    cluster.carryAll()
    expect(cluster.replies).toEqual([{ kind: 'decided', requestId: 1, value: feature(base, 'a') }])
  })

  test('phase 1 made ahead takes over what it found, and is none any more once another one began', () => {
    const base = first(3)
    const cluster = new Cluster(three(base))
    const accepted = { ballot: ballotOf(1, 2), value: feature(base, 'a') }
    cluster.start(2, { ...holding(base), promised: ballotOf(1, 2), accepted })
    cluster.silent.add(3)
    cluster.feed(1, { kind: 'reserve' })
    cluster.carryAll()
    // Server 2 knows of a higher ballot than the first one, and says so.
    cluster.feed(1, { kind: 'propose', requestId: 1, value: feature(base, 'b') })
    cluster.carryAll()
    cluster.pass(500)
    expect(cluster.replies).toEqual([{ kind: 'decided', requestId: 1, value: feature(base, 'a') }])
  })
})

describe('the register moves', () => {
  const alone = first(1)
  const joined = ['2', '3'].reduce(
    (base, name) =>
      after(base, {
        kind: 'members',
        changes: [{ kind: 'add', id: name.padStart(16, '0'), name, addresses: [], role: 'learner' }],
      }),
    alone,
  )
  const promoting = after(joined, {
    kind: 'members',
    changes: [
      { kind: 'promote', server: 2 },
      { kind: 'promote', server: 3 },
    ],
  })

  test('a file decides alone', () => {
    const cluster = new Cluster({ 1: holding(alone) })
    cluster.feed(1, { kind: 'propose', requestId: 1, value: feature(alone, 'a') })
    expect(cluster.replies).toMatchObject([{ kind: 'decided', value: { version: 2 } }])
  })

  test('new deciders all have the version that names them on disk before it is decided', () => {
    const cluster = new Cluster({ 1: holding(joined), 2: holding(joined), 3: EMPTY_REGISTER })
    cluster.silent.add(3)
    cluster.feed(1, { kind: 'propose', requestId: 1, value: promoting })
    cluster.pass(OFFER_MS + 100)
    expect(cluster.replies).toMatchObject([{ kind: 'refused', why: 'unreachable', problem: 'no answer about the chain from server 3' }])
    expect(cluster.disks.get(2)?.offers).toEqual([promoting])
    cluster.silent.clear()
    cluster.feed(1, { kind: 'propose', requestId: 2, value: promoting })
    cluster.carryAll()
    expect(cluster.replies.at(-1)).toMatchObject({ kind: 'decided', requestId: 2, value: { version: promoting.version } })
    expect([1, 2, 3].map((server) => cluster.held(server))).toEqual([4, 4, 4])
    // From now on two of three decide, without the one that did.
    cluster.silent.add(1)
    cluster.feed(2, { kind: 'propose', requestId: 3, value: feature(promoting, 'a') })
    cluster.pass(1000)
    expect(cluster.replies.at(-1)).toMatchObject({ kind: 'decided', requestId: 3, value: { version: 5 } })
  })

  test('to etcd and back: etcd is brought up to the version that names it, and then decides by its mod_revision', () => {
    const base = first(3)
    const decider = { kind: 'etcd' as const, config: { key: '/r' } }
    const toEtcd = after(base, { kind: 'switch', to: 'quorum', config: {}, decider })
    const cluster = new Cluster(three(base))
    cluster.feed(1, { kind: 'propose', requestId: 1, value: toEtcd })
    cluster.carryAll()
    expect(cluster.etcd).toBeNull()
    const [a, b] = [feature(toEtcd, 'a'), feature(toEtcd, 'b')]
    cluster.feed(2, { kind: 'propose', requestId: 2, value: a })
    expect(decodeValue(cluster.etcd === null ? new Uint8Array() : (cluster.etcd as { bytes: Uint8Array }).bytes)).toEqual(a)
    // Server 3 has not heard of it: it loses.
    cluster.feed(3, { kind: 'propose', requestId: 3, value: b })
    expect(cluster.replies.slice(1)).toEqual([
      { kind: 'decided', requestId: 2, value: a },
      { kind: 'decided', requestId: 3, value: a },
    ])
    const back = after(a, { kind: 'switch', to: 'quorum', config: {}, decider: base.decider })
    cluster.carryAll()
    cluster.feed(1, { kind: 'propose', requestId: 4, value: back })
    cluster.carryAll()
    expect(cluster.replies.at(-1)).toMatchObject({ kind: 'decided', requestId: 4, value: { decider: { kind: 'quorum' } } })
    const before = cluster.etcd
    cluster.feed(2, { kind: 'propose', requestId: 5, value: feature(back, 'c') })
    cluster.pass(500)
    expect(cluster.replies.at(-1)).toMatchObject({ kind: 'decided', requestId: 5 })
    expect(cluster.etcd).toBe(before)
  })

  test('what etcd answered too late is found there', () => {
    const base = { ...first(3), decider: { kind: 'etcd' as const, config: {} } }
    const cluster = new Cluster(three(base))
    cluster.etcd = { modRevision: 9, bytes: encodeValue(feature(base, 'a')) }
    cluster.isEtcdSilent = true
    cluster.feed(1, { kind: 'propose', requestId: 1, value: feature(base, 'a') })
    expect(cluster.replies).toEqual([])
    cluster.isEtcdSilent = false
    cluster.pass(300)
    expect(cluster.replies).toEqual([{ kind: 'decided', requestId: 1, value: feature(base, 'a') }])
  })
})

describe('bytes', () => {
  const value = first(3)
  const state: RegisterState = {
    held: value,
    promised: 2050,
    accepted: { ballot: 2050, value: feature(value, 'a') },
    offers: [feature(value, 'b')],
  }

  test('a state comes back from its file, and a slot torn or damaged at any byte leaves the other', () => {
    const [old, young] = [encodeRegisterSlot({ generation: 3, state: EMPTY_REGISTER }), encodeRegisterSlot({ generation: 4, state })]
    expect(decodeRegisterFile([young, old, null])).toEqual({ kind: 'slot', slot: { generation: 4, state } })
    for (let at = 0; at < young.length; at += 7) {
      const flipped = young.slice()
      flipped[at] = (flipped[at] as number) ^ 1
      expect(decodeRegisterFile([flipped, old, null])).toMatchObject({ kind: 'slot', slot: { generation: 3 } })
      expect(decodeRegisterFile([young.subarray(0, at), old, null])).toMatchObject({ kind: 'slot', slot: { generation: 3 } })
    }
  })

  test('of three slots two have the newest state, and the next goes to the oldest and leaves one of them', () => {
    expect(slotsToWrite([3, 3, 2])).toEqual([2, 0])
    expect(slotsToWrite([4, 3, 4])).toEqual([1, 0])
    const slot = (generation: number): Uint8Array => encodeRegisterSlot({ generation, state })
    const bad = slot(9).subarray(0, 40)
    // Torn at both, or any one damaged afterwards: the state before, or the same one.
    expect(decodeRegisterFile([bad, slot(3), bad])).toMatchObject({ slot: { generation: 3 } })
    for (const files of [
      [bad, slot(3), slot(4)],
      [slot(4), bad, slot(4)],
      [slot(4), slot(3), bad],
      [slot(4), null, null],
    ])
      expect(decodeRegisterFile(files)).toMatchObject({ slot: { generation: 4 } })
    expect([slot(4), bad, null].map(generationOf)).toEqual([4, 0, 0])
  })

  test('no file is fresh, two bad ones are damaged, and neither is taken for the other', () => {
    const slot = encodeRegisterSlot({ generation: 3, state })
    expect(decodeRegisterFile([null, null, null])).toEqual({ kind: 'fresh' })
    expect(decodeRegisterFile([slot.subarray(0, 9), null, null])).toEqual({ kind: 'fresh' })
    expect(decodeRegisterFile([slot.subarray(0, 9), slot.subarray(0, 30), null])).toEqual({ kind: 'damaged' })
    expect(decodeRegisterFile([null, slot.subarray(0, 30), null])).toEqual({ kind: 'damaged' })
  })

  test('every message comes back from its bytes, and bytes that are none give none', () => {
    const messages: RegisterMessage[] = [
      { kind: 'offer', offerId: 2 ** 45, value },
      { kind: 'promise', version: 2, ballot: 1025, accepted: null },
      { kind: 'accept', version: 2, ballot: 1025, value: feature(value, 'a'), base: value },
      { kind: 'ask', version: 0 },
      { kind: 'known', value },
    ]
    for (const message of messages) expect(decodeRegisterMessage(encodeRegisterMessage(message))).toEqual(message)
    expect(decodeRegisterMessage(new TextEncoder().encode('{"kind":"ask"}'))).toBeNull()
    expect(decodeRegisterMessage(new Uint8Array([0xff, 1]))).toBeNull()
  })
})

describe('a server that was removed', () => {
  const removal = (base: RegisterValue, server: number): RegisterValue =>
    after(base, { kind: 'members', changes: [{ kind: 'remove', server }] })
  const isReleased = (cluster: Cluster): boolean => cluster.feed(1, { kind: 'tick' }).isReleased

  test('stays until the one that is left has the version that it cannot decide alone, and all that is before it', () => {
    const base = first(2)
    const cluster = new Cluster({ 1: holding(base), 2: holding(base) })
    cluster.feed(1, { kind: 'propose', requestId: 1, value: removal(base, 1) })
    // The other one accepts; that it is decided does not reach it.
    while (cluster.held(1) === 1) {
      const next = cluster.mail.shift()
      if (next === undefined) throw new Error('nothing is under way')
      cluster.feed(next.to, { kind: 'message', from: next.from, message: next.message })
    }
    cluster.mail.length = 0
    cluster.silent.add(2)
    cluster.pass(2000)
    expect([cluster.held(1), cluster.held(2), isReleased(cluster)]).toEqual([2, 1, false])
    // It dies, and goes on with that when it is started.
    cluster.start(1, cluster.disks.get(1) as RegisterState)
    cluster.pass(200)
    expect(isReleased(cluster)).toBe(false)
    cluster.silent.clear()
    cluster.pass(1000)
    expect([cluster.held(2), isReleased(cluster)]).toEqual([2, false])
    cluster.caughtUp.add(2)
    cluster.pass(200)
    expect(isReleased(cluster)).toBe(true)
  })

  test('is released by a majority of those who decide now; a member never is', () => {
    const base = first(4)
    const value = removal(base, 1)
    const cluster = new Cluster({ 1: holding(value), 2: holding(base), 3: holding(value), 4: holding(value) })
    cluster.silent.add(4)
    for (const server of [2, 3, 4]) cluster.caughtUp.add(server)
    cluster.feed(1, { kind: 'tick' })
    expect(isReleased(cluster)).toBe(false)
    cluster.pass(300)
    expect(isReleased(cluster)).toBe(true)
    expect(cluster.outputs.filter(({ server, output }) => server !== 1 && output.isReleased)).toEqual([])
  })
})
