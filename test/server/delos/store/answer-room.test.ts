import { expect, test } from 'vitest'
import { pairBytes } from '../../../../src/core/delos/wire/pair-bytes.ts'
import { ANSWER_BYTES_MAX, answerRoom } from '../../../../src/server/delos/store/answer-room.ts'

const MIB = 1_048_576
const pair = (bytes: number): object => ({
  key: 'k'.repeat(100),
  create_revision: 7,
  mod_revision: 300,
  version: 1,
  value: new Uint8Array(bytes),
  lease: 0n,
})

test('the bytes of an answer are those of all its pairs, in a txn of those inside at any depth too', () => {
  const range = { kvs: [pair(1000), pair(2000)] }
  const deleted = { prev_kvs: [pair(5000)] }
  const none = { response_range: null, response_put: null, response_delete_range: null, response_txn: null }
  const inner = { responses: [{ ...none, response_delete_range: deleted }] }
  const replaced = { prev_kv: pair(4000) }
  const responses = [{ ...none, response_range: range }, { ...none, response_txn: inner }, { ...none, response_put: replaced }, none]
  const txn = { responses }
  // Beside key, value and the numbers there are tags and lengths: 15 bytes here; and 64 for what memory takes.
  expect(pairBytes(range)).toBe(3000 + 2 * (100 + 15 + 64))
  expect(pairBytes(replaced)).toBe(4000 + 100 + 15 + 64)
  expect(pairBytes(txn)).toBe(pairBytes(range) + pairBytes(deleted) + pairBytes(replaced))
  expect(pairBytes({ header: {} })).toBe(0)
})

test('a short answer is always given, a long one while not too much is held, one that is too long never', () => {
  let held = 0
  const room = answerRoom(() => held)
  expect([0, MIB, 100 * MIB, ANSWER_BYTES_MAX].map(room)).toEqual([null, null, null, null])
  expect(room(ANSWER_BYTES_MAX + 1)).toMatchObject({ code: 8, text: expect.stringContaining('with a limit') })
  held = 257 * MIB
  expect([0, MIB].map(room)).toEqual([null, null])
  expect(room(MIB + 1)).toEqual({ code: 8, text: 'etcdserver: too many requests' })
})
