import { expect, test } from 'vitest'
import { withoutSlot } from '../../../../src/core/delos/paxos/damage.ts'
import type { Accepted, Batch, SlotRange } from '../../../../src/core/delos/paxos/messages.ts'
import { recover } from '../../../../src/core/delos/paxos/recovery.ts'
import { RULES } from '../../../../src/core/delos/paxos/rules.ts'
import type { PromiseMessage } from '../../../../src/core/delos/paxos/state.ts'

const VOTERS = [1, 2, 3]
const batch = (seq: number, kind: Batch['kind'] = 'batch'): Batch => ({
  kind,
  position: 1,
  count: 1,
  proposerId: 1,
  seq,
  payload: new Uint8Array(0),
})
const at = (slot: number, ballot: number, seq: number, kind: Batch['kind'] = 'batch'): Accepted => ({
  slot,
  ballot,
  batch: batch(seq, kind),
})
const promise = (accepted: Accepted[], more: Partial<PromiseMessage> = {}): PromiseMessage => ({
  ...{ kind: 'promise', ballot: 99, committed: 0, accepted, unknown: [], isSealed: false },
  ...more,
})
const seqs = (promises: PromiseMessage[], from = 1): (number | null)[] | null =>
  recover(promises, from, VOTERS, RULES)?.suffix.map((each) => each?.seq ?? null) ?? null

test('less than a majority recovers nothing', () => {
  expect(recover([promise([])], 1, VOTERS, RULES)).toBeNull()
  expect(seqs([promise([]), promise([])])).toEqual([])
})

test('per slot the batch of the highest ballot is taken, not the longest log', () => {
  expect(seqs([promise([at(1, 5, 51), at(2, 5, 52)]), promise([at(1, 7, 71)])])).toEqual([71, 52])
})

test('a hole is reported as one, and not at the end', () => {
  expect(seqs([promise([at(2, 5, 52)]), promise([])])).toEqual([null, 52])
})

test('what a promise knows to be chosen is not proposed again', () => {
  const recovered = recover([promise([at(1, 5, 51), at(2, 5, 52)], { committed: 1 }), promise([at(1, 4, 40)])], 1, VOTERS, RULES)
  expect(recovered?.chosen.map(({ batch: { seq } }) => seq)).toEqual([51])
  expect(recovered?.suffix.map((each) => each?.seq)).toEqual([52])
})

test('nothing after an end marker is proposed again', () => {
  expect(seqs([promise([at(1, 7, 0, 'end')]), promise([at(1, 5, 51), at(2, 5, 52)])])).toEqual([0])
})

test('one sealed acceptor makes the recovery a seal', () => {
  expect(recover([promise([], { isSealed: true }), promise([])], 1, VOTERS, RULES)?.isSealed).toBe(true)
})

const damaged = (from: number, to: number | null): { unknown: SlotRange[] } => ({ unknown: [{ from, to }] })

test('a damaged slot does not count as nothing accepted: a third voter is waited for', () => {
  const [clean, rotten] = [promise([]), promise([at(2, 5, 52)], damaged(1, 1))]
  expect(recover([clean, rotten], 1, VOTERS, RULES)).toBeNull()
  expect(seqs([clean, rotten, promise([at(1, 5, 51)])])).toEqual([51, 52])
})

test('doubt about the end of a log covers the slot after the last one anybody reports', () => {
  const [clean, doubtful] = [promise([at(1, 5, 51)]), promise([], damaged(1, null))]
  expect(recover([clean, doubtful], 1, VOTERS, RULES)).toBeNull()
  expect(seqs([clean, doubtful, promise([at(1, 5, 51), at(2, 5, 52)])])).toEqual([51, 52])
})

test('when every voter answered, a whole copy at one is enough: only a minority is damaged', () => {
  expect(seqs([promise([], damaged(1, 1)), promise([], damaged(1, null)), promise([at(1, 5, 51)])])).toEqual([51])
})

test('a repaired slot leaves the damaged ranges, and only it', () => {
  const ranges = [
    { from: 2, to: 4 },
    { from: 8, to: null },
  ]
  expect(withoutSlot(ranges, 3)).toEqual([
    { from: 2, to: 2 },
    { from: 4, to: 4 },
    { from: 8, to: null },
  ])
  expect(withoutSlot(ranges, 8)).toEqual([
    { from: 2, to: 4 },
    { from: 9, to: null },
  ])
  expect(withoutSlot(ranges, 6)).toEqual(ranges)
})
