import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NOBODY, type KvCommand, type OpsResponse } from '../../../../src/core/delos/kv/command.ts'
import { KV_ERRORS } from '../../../../src/core/delos/kv/errors.ts'
import { SESSION_FRAMES_MAX, SESSIONS_MAX } from '../../../../src/core/delos/kv/sessions.ts'
import { createStore } from '../../../../src/core/delos/kv/store.ts'
import type { KvStore } from '../../../../src/core/delos/kv/store-contract.ts'
import { ALARM_TYPE, COMPARE_RESULT, COMPARE_TARGET } from '../../../../src/core/delos/wire/messages.ts'
import { readAnswers } from '../../../../src/core/delos/wire/native/answers.ts'
import { OP } from '../../../../src/core/delos/wire/native/ops.ts'
import { codecOf, decode } from '../../../../src/core/kernel/protobuf/codec.ts'
import { encode } from '../../../../src/core/kernel/protobuf/encode.ts'
import { COMPARE, REQUEST_OP, TXN_REQUEST, TXN_RESPONSE } from '../../../../src/core/delos/wire/protobuf/schemas/kv.ts'

import { frame, put, remove, type Op } from './op-frames.ts'

/** A store, and its log so far. */
class Machine {
  position = 0
  store: KvStore

  constructor(store: KvStore = createStore()) {
    this.store = store
    this.position = store.cursor
  }

  apply(command: KvCommand): object {
    this.position += 1
    return this.store.apply(command, { position: this.position, timeMs: 0 })
  }

  send(session: number, seq: number, ops: readonly Op[], floor = seq, who = NOBODY): string | unknown[] {
    const answer = this.apply({ kind: 'ops', frame: frame(session, seq, floor, ops), who })
    if ('text' in answer) return String(answer.text)
    const { count, answers } = answer as OpsResponse
    const told: unknown[] = []
    const isWhole = readAnswers(answers, 0, count, {
      changed: (i, revision) => (told[i] = revision),
      nothing: (i, revision) => (told[i] = `nothing ${revision}`),
      refused: (i, { text }) => (told[i] = text),
      message: (i, bytes) => (told[i] = decode(codecOf(TXN_RESPONSE), bytes)?.succeeded),
      found: (i) => (told[i] = 'found'),
    })
    expect(isWhole).toBe(true)
    return told
  }
}

const opened = (...sessions: number[]): Machine => {
  const machine = new Machine()
  for (const session of sessions) expect(machine.send(session, 0, [], 1)).toEqual([])
  return machine
}

describe('a frame of operations', () => {
  it('changes what its operations would change one by one, each a revision', () => {
    const anyOp = fc
      .tuple(fc.constantFrom('a', 'b', 'c'), fc.option(fc.string({ maxLength: 3 })))
      .map(([key, value]) => (value === null ? remove(key) : put(key, value)))
    fc.assert(
      fc.property(fc.array(fc.array(anyOp, { maxLength: 6 }), { maxLength: 6 }), (frames) => {
        const ours = opened(1)
        const theirs = new Machine()
        frames.forEach((ops, i) => ours.send(1, i + 1, ops))
        for (const { kind, key, body } of frames.flat()) {
          if (kind === OP.delete) theirs.apply({ kind: 'deleteRange', who: NOBODY, request: { key, range_end: '', prev_kv: false } })
          else
            theirs.apply({
              kind: 'put',
              who: NOBODY,
              request: { key, value: body, lease: 0n, prev_kv: false, ignore_value: false, ignore_lease: false },
            })
        }
        expect(ours.store.dump().versions).toEqual(theirs.store.dump().versions)
        expect(ours.store.revision).toBe(theirs.store.revision)
      }),
    )
  })

  it('answers each operation', () => {
    const machine = opened(1)
    expect(machine.send(1, 1, [put('a'), put('b'), remove('x'), remove('a'), put('a')])).toEqual([2, 3, 'nothing 3', 4, 5])
  })

  it('that is sent again is answered as the first time and changes nothing', () => {
    const machine = opened(1)
    const first = machine.send(1, 1, [put('a'), remove('x')], 1)
    machine.send(1, 2, [put('a')], 1)
    const { revision, digest } = machine.store
    expect(machine.send(1, 1, [put('a'), remove('x')], 1)).toEqual(first)
    expect([machine.store.revision, machine.store.digest]).toEqual([revision, digest])
  })

  it('is still answered so by a store that was loaded from its rows', () => {
    const machine = opened(1, 2)
    const first = machine.send(1, 1, [put('a')], 1)
    const loaded = new Machine(createStore({}, machine.store.dump()))
    expect(loaded.send(1, 1, [put('a')], 1)).toEqual(first)
    expect(loaded.store.dump().sessions).toEqual(machine.store.dump().sessions)
  })

  it('of a session that is not known, is past, or too far ahead is refused and changes nothing', () => {
    const machine = opened(1)
    machine.send(1, 5, [put('a')], 5)
    const { revision } = machine.store
    expect(machine.send(2, 1, [put('a')])).toBe(KV_ERRORS.sessionUnknown.text)
    expect(machine.send(1, 4, [put('a')], 4)).toBe(KV_ERRORS.sessionPast.text)
    expect(machine.send(1, 5 + SESSION_FRAMES_MAX, [put('a')], 5)).toBe(KV_ERRORS.sessionAhead.text)
    expect(machine.store.revision).toBe(revision)
    expect(machine.send(1, 5 + SESSION_FRAMES_MAX - 1, [put('a')], 5)).toEqual([revision + 1])
  })

  it('is decided by its session: frames that came in another order are all done', () => {
    const machine = opened(1)
    for (const seq of [3, 1, 2]) expect(machine.send(1, seq, [put('a')], 1)).toHaveLength(1)
    expect(machine.store.revision).toBe(4)
  })

  it('of which the answers are too long to be kept is done once, and then said to be done', () => {
    const machine = opened(1)
    const value = 'v'.repeat(5000)
    machine.send(1, 1, [put('a', value)], 1)
    const txn = codecOf(TXN_REQUEST)
    const op = codecOf(REQUEST_OP).make()
    const range = {
      ...op,
      request_put: { key: 'a', value: new Uint8Array([1]), lease: 0n, prev_kv: true, ignore_value: false, ignore_lease: false },
    }
    const ask: Op = { kind: OP.txn, key: '', body: encode(txn, { compare: [], success: [range], failure: [] }) }
    expect(machine.send(1, 2, [ask], 1)).toEqual([true])
    expect(machine.send(1, 2, [ask], 1)).toBe(KV_ERRORS.answersLost.text)
    expect(machine.store.revision).toBe(3)
  })

  it('may hold a txn, which sees the operations before it', () => {
    const machine = opened(1)
    const compare = { ...codecOf(COMPARE).make(), key: 'a', target: COMPARE_TARGET.version, result: COMPARE_RESULT.equal, version: 1 }
    const ask: Op = { kind: OP.txn, key: '', body: encode(codecOf(TXN_REQUEST), { compare: [compare], success: [], failure: [] }) }
    expect(machine.send(1, 1, [ask, put('a'), ask])).toEqual([false, 2, true])
    expect(machine.send(1, 2, [{ kind: OP.txn, key: '', body: Uint8Array.of(0xff) }])).toEqual([KV_ERRORS.badFrame.text])
  })

  it('is held to alarms and rights, operation by operation', () => {
    const machine = opened(1)
    machine.send(1, 1, [put('a')])
    machine.apply({ kind: 'alarm', action: 'raise', memberId: 1n, type: ALARM_TYPE.nospace, who: null })
    expect(machine.send(1, 2, [put('b'), remove('a'), remove('a')])).toEqual([KV_ERRORS.noSpace.text, 3, 'nothing 3'])
    machine.apply({ kind: 'alarm', action: 'clear', memberId: 1n, type: ALARM_TYPE.nospace, who: null })
    const admin = (change: Extract<KvCommand, { kind: 'auth' }>['change']): object => machine.apply({ kind: 'auth', change, who: NOBODY })
    admin({ kind: 'userAdd', name: 'root', passwordHash: 'h', noPassword: false })
    admin({ kind: 'roleAdd', role: 'root' })
    admin({ kind: 'userGrantRole', user: 'root', role: 'root' })
    admin({ kind: 'enable' })
    const root = { user: 'root', authRevision: machine.store.authRevision }
    expect(machine.send(1, 3, [put('b')], 3, root)).toEqual([4])
    expect(machine.send(1, 4, [put('b'), remove('b')], 4)).toEqual([KV_ERRORS.userEmpty.text, KV_ERRORS.userEmpty.text])
    expect(machine.send(2, 0, [], 1)).toBe(KV_ERRORS.userEmpty.text)
  })
})

describe('sessions', () => {
  it('that were silent for longest are forgotten, on every server the same', () => {
    const machine = new Machine()
    for (let session = 1; session <= SESSIONS_MAX; session += 1) machine.send(session, 0, [], 1)
    machine.send(1, 1, [put('a')], 1)
    const loaded = new Machine(createStore({}, machine.store.dump()))
    for (const each of [machine, loaded]) {
      each.send(SESSIONS_MAX + 1, 0, [], 1)
      expect(each.send(2, 1, [put('a')])).toBe(KV_ERRORS.sessionUnknown.text)
      expect(each.send(1, 2, [put('a')])).toEqual([3])
    }
    expect(loaded.store.digest).toBe(machine.store.digest)
  })

  it('keep no answers of frames that the client knows them of', () => {
    const machine = opened(1)
    for (let seq = 1; seq <= 200; seq += 1) machine.send(1, seq, [put('a')], Math.max(1, seq - 3))
    expect(machine.store.dump().sessions?.[0]?.answers.map(([seq]) => seq)).toEqual([197, 198, 199, 200])
  })
})
