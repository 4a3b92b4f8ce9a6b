import { describe, expect, test } from 'vitest'
import type { Accepted } from '../../../../src/core/delos/paxos/messages.ts'
import { decideRejoin, type Testimony } from '../../../../src/core/delos/paxos/rejoin.ts'

const VOTERS = [1, 2, 3]
const nothing = (more: Partial<Testimony> = {}): Testimony => ({
  ...{ promised: 0, isSealed: false, committed: 0, accepted: [], unknown: [] },
  ...more,
})
const at = (slot: number, ballot: number): Accepted => ({
  slot,
  ballot,
  batch: { kind: 'batch', position: slot, count: 1, proposerId: 1, seq: ballot, payload: new Uint8Array(0) },
})
const decide = (answers: [number, Testimony][], mayBeNew = true, voters = VOTERS) => decideRejoin(voters, 1, new Map(answers), mayBeNew)

describe('a voter with an empty disk', () => {
  test('begins a cluster with a majority that holds nothing either, and keeps above every ballot they heard of', () => {
    expect(decide([])).toBeNull()
    expect(decide([[2, nothing({ promised: 9 })]])).toEqual({
      state: { promised: 9, isSealed: false, unknown: [] },
      accepted: [],
      isNew: true,
    })
  })

  test('does not, when whoever starts it says that the cluster exists', () => {
    const empty: [number, Testimony][] = [
      [2, nothing()],
      [3, nothing()],
    ]
    expect(decide(empty, false)).toBeNull()
    expect(decide(empty)?.isNew).toBe(true)
  })

  test('waits for all others once one of them holds something: its lost vote may count for who is silent', () => {
    const two: [number, Testimony] = [2, nothing({ promised: 5, committed: 7 })]
    expect(decide([two])).toBeNull()
    expect(decide([two, [3, nothing({ promised: 8, committed: 6 })]])).not.toBeNull()
  })

  test('never starts when less than a majority holds anything: what was chosen may be gone', () => {
    expect(
      decide([
        [2, nothing({ promised: 5, committed: 7 })],
        [3, nothing()],
      ]),
    ).toBeNull()
  })

  test('promises as high as any other did, and knows nothing of what is chosen until it learns it', () => {
    const back = decide([
      [2, nothing({ promised: 5, committed: 7 })],
      [3, nothing({ promised: 8, committed: 6, isSealed: true })],
    ])
    expect(back?.state).toEqual({ promised: 8, isSealed: true, unknown: [{ from: 1, to: 7 }] })
  })

  test('takes over per slot the highest ballot of all others above what is chosen', () => {
    const back = decide([
      [2, nothing({ promised: 5, committed: 7, accepted: [at(8, 5), at(9, 5)] })],
      [3, nothing({ promised: 8, committed: 6, accepted: [at(7, 3), at(8, 8)] })],
    ])
    expect(back?.accepted.map(({ slot, ballot }) => [slot, ballot])).toEqual([
      [8, 8],
      [9, 5],
    ])
  })

  test('does not know what another does not know, whatever a third has there', () => {
    const back = decide([
      [2, nothing({ promised: 5, committed: 7, unknown: [{ from: 9, to: 9 }] })],
      [3, nothing({ promised: 5, committed: 7, accepted: [at(9, 3)] })],
    ])
    expect(back?.state.unknown).toEqual([
      { from: 9, to: 9 },
      { from: 1, to: 7 },
    ])
  })

  test('of five needs no answer with content from another that is empty too, but an answer', () => {
    const full = nothing({ promised: 5, committed: 7 })
    const three: [number, Testimony][] = [
      [2, full],
      [3, full],
      [4, full],
    ]
    expect(decide(three, true, [1, 2, 3, 4, 5])).toBeNull()
    expect(decide([...three, [5, nothing()]], true, [1, 2, 3, 4, 5])?.isNew).toBe(false)
  })
})
