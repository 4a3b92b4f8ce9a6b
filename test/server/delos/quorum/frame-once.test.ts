import { expect, test } from 'vitest'
import { decodeFrame, encodeFrame } from '../../../../src/core/delos/paxos/codec.ts'
import type { Accepted, Message } from '../../../../src/core/delos/paxos/messages.ts'
import { frameOnce } from '../../../../src/server/delos/quorum/frame-once.ts'

const accepted = (slot: number): Accepted => ({
  slot,
  ballot: 3,
  batch: { kind: 'batch', position: slot, count: 1, proposerId: 1, seq: slot, payload: new Uint8Array([slot]) },
})
const accept = (batches: Accepted[], committed = 1): Message => ({ kind: 'accept', ballot: 3, committed, isSealing: false, batches })

test('the same batches for several followers are encoded once, and all else for itself', () => {
  let count = 0
  const encode = frameOnce((message) => {
    count += 1
    return encodeFrame(1, 1, message)
  })
  const [one, two] = [accepted(1), accepted(2)]
  const probe: Message = { kind: 'probe', ballot: 1, tail: 1, committed: 1 }
  const messages = [accept([one, two]), accept([one, two]), accept([one]), accept([one], 2), accept([accepted(1)], 2), probe, probe]
  const frames = messages.map((message) => encode(message))
  expect(frames.map((frame) => decodeFrame(frame)?.message)).toEqual(messages)
  expect(count).toBe(6)
})
