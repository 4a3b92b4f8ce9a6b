import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decodeAcceptorFile,
  encodeAcceptorSlot,
  ACCEPTOR_FILE_BYTES,
  ACCEPTOR_SLOT_BYTES,
} from '../../../../src/core/delos/paxos/acceptor-file.ts'
import {
  decodeFrame,
  decodeRecord,
  encodeFrame,
  encodeFramePieces,
  encodeRecords,
  frameBytes,
} from '../../../../src/core/delos/paxos/codec.ts'
import type { Accepted, AppendResult, Batch, Message, ReadResult } from '../../../../src/core/delos/paxos/messages.ts'

const u53 = fc.maxSafeNat()
const u32 = fc.nat(0xffff_ffff)
const batch: fc.Arbitrary<Batch> = fc.record({
  kind: fc.constantFrom('batch' as const, 'noop' as const, 'end' as const),
  position: u53,
  count: u32,
  proposerId: u53,
  seq: u53,
  payload: fc.uint8Array({ maxLength: 300 }),
})
const accepted: fc.Arbitrary<Accepted> = fc.record({ slot: u53, ballot: u53, batch })
const batches = fc.array(accepted, { maxLength: 5 })
const ranges = fc.array(fc.record({ from: u53, to: fc.option(fc.nat()) }), { maxLength: 5 })
const refused = fc.record({
  kind: fc.constant('refused' as const),
  why: fc.constantFrom('noLeader' as const, 'busy' as const, 'sealed' as const),
})
const appendResult: fc.Arbitrary<AppendResult> = fc.oneof(
  fc.record({ kind: fc.constant('appended' as const), slot: u53, position: u53, count: u32 }),
  fc.constant({ kind: 'unknown' as const }),
  refused,
)
const readResult: fc.Arbitrary<ReadResult> = fc.oneof(fc.record({ kind: fc.constant('readable' as const), slot: u53 }), refused)
const is = fc.boolean()
const of = (kind: Message['kind'], fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Message> =>
  fc.record({ kind: fc.constant(kind), ...fields }) as unknown as fc.Arbitrary<Message>
const message = fc.oneof(
  of('probe', { ballot: u53, tail: u53, committed: u53 }),
  of('probeReply', { ballot: u53, isGranted: is, promised: u53 }),
  of('prepare', { ballot: u53, from: u53, isSealing: is, released: u53 }),
  of('promise', { ballot: u53, committed: u53, accepted: batches, unknown: ranges, isSealed: is }),
  of('refuse', { ballot: u53, promised: u53, isSealed: is }),
  of('accept', { ballot: u53, committed: u53, isSealing: is, batches }),
  of('accepted', { ballot: u53, synced: u53, tail: u53, isGap: is }),
  of('heartbeat', { ballot: u53, tick: u53, committed: u53, isServing: is, isSealing: is }),
  of('heartbeatReply', { ballot: u53, tick: u53, synced: u53, tail: u53 }),
  of('forward', { requestId: u53, batch }),
  of('forwardReply', { requestId: u53, result: appendResult, ballot: u53, committed: u53 }),
  of('read', { requestId: u53 }),
  of('readReply', { requestId: u53, result: readResult, ballot: u53, committed: u53 }),
  of('sealRequest', {}),
  of('fetch', { from: u53 }),
  of('learn', { batches, committed: u53 }),
  of('takeOver', { released: u53 }),
)

test('every message comes out of its frame as it went in', () => {
  fc.assert(
    fc.property(u32, fc.integer({ min: 1, max: 1023 }), message, (loglet, from, sent) => {
      const frame = encodeFrame(loglet, from, sent)
      expect(frameBytes(frame, 0)).toBe(frame.length)
      const received = decodeFrame(frame)
      expect(received).not.toBeNull()
      expect({ ...received, message: { ...received?.message } }).toEqual({ loglet, from, message: { ...sent } })
    }),
  )
})

test('a frame in pieces has the same bytes, and no copy of a long payload', () => {
  const payloads = fc.array(fc.oneof(fc.uint8Array({ maxLength: 50 }), fc.constant(new Uint8Array(16 * 1024).fill(7))), { maxLength: 5 })
  fc.assert(
    fc.property(payloads, accepted, (lists, like) => {
      const batches = lists.map((payload) => ({ ...like, batch: { ...like.batch, payload } }))
      const sent: Message = { kind: 'accept', ballot: 5, committed: 3, isSealing: false, batches }
      const pieces = encodeFramePieces(7, 3, sent)
      expect(Buffer.concat(pieces).equals(encodeFrame(7, 3, sent))).toBe(true)
      for (const payload of lists) if (payload.length >= 16 * 1024) expect(pieces).toContain(payload)
    }),
  )
})

test('a frame with a flipped bit is refused', () => {
  fc.assert(
    fc.property(message, fc.nat(), (sent, pick) => {
      const frame = encodeFrame(7, 3, sent).slice()
      const bit = pick % (frame.length * 8)
      frame[bit >> 3] = (frame[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(decodeFrame(frame)).toBeNull()
    }),
  )
})

test('the length of a frame is known from its first four bytes, and a senseless one is refused', () => {
  const frame = encodeFrame(1, 2, { kind: 'sealRequest' })
  expect(frameBytes(frame.subarray(0, 3), 0)).toBeNull()
  expect(frameBytes(frame.subarray(0, 4), 0)).toBe(frame.length)
  expect(frameBytes(new Uint8Array([255, 255, 255, 255]), 0)).toBe(-1)
  expect(frameBytes(new Uint8Array(4), 0)).toBe(-1)
})

test('accepted batches come out of their records as they went in', () => {
  fc.assert(
    fc.property(fc.array(accepted), u53, (entries, committed) => {
      const records = encodeRecords(entries, committed)
      for (const [i, entry] of entries.entries()) {
        const record = records[i] ?? new Uint8Array(0)
        expect(decodeRecord(record)).toEqual({ accepted: { ...entry, batch: { ...entry.batch } }, committed })
        expect(decodeRecord(record.slice(0, -1))).toBeNull()
      }
    }),
  )
})

const slotOf = (generation: number, promised: number): Parameters<typeof encodeAcceptorSlot>[0] => ({
  generation,
  clusterId: 0xfedc_ba98_7654_3210n,
  loglet: 9,
  incarnation: 2,
  state: {
    promised,
    isSealed: true,
    unknown: [
      { from: 3, to: 4 },
      { from: 9, to: null },
    ],
  },
})

/** As it is after these states were written in turn, each to both slots. */
function fileOf(...generations: number[]): Uint8Array {
  const file = new Uint8Array(ACCEPTOR_FILE_BYTES)
  for (const generation of generations) {
    const bytes = encodeAcceptorSlot(slotOf(generation, 1000 + generation))
    file.set(bytes, 0)
    file.set(bytes, ACCEPTOR_SLOT_BYTES)
  }
  return file
}

test('an acceptor file gives back the newest state written', () => {
  expect(decodeAcceptorFile(new Uint8Array(ACCEPTOR_FILE_BYTES))).toEqual({ kind: 'fresh' })
  expect(decodeAcceptorFile(fileOf(1))).toEqual({ kind: 'slot', slot: slotOf(1, 1001) })
  expect(decodeAcceptorFile(fileOf(1, 2, 3))).toEqual({ kind: 'slot', slot: slotOf(3, 1003) })
})

test('a write of the acceptor file torn at any byte leaves the state before it', () => {
  const before = fileOf(1, 2)
  const next = encodeAcceptorSlot(slotOf(3, 1003))
  for (let bytes = 0; bytes < ACCEPTOR_SLOT_BYTES; bytes += 1 + (bytes > 100 ? 500 : 0)) {
    const file = before.slice()
    file.set(next.subarray(0, bytes), 0)
    const read = decodeAcceptorFile(file)
    expect(read.kind === 'slot' && [1002, 1003].includes(read.slot.state.promised), `torn at ${bytes}`).toBe(true)
  }
})

test('damage of one slot of the acceptor file loses nothing, whichever it is', () => {
  for (const at of [30, 41, 4000, ACCEPTOR_SLOT_BYTES + 30, ACCEPTOR_SLOT_BYTES + 41]) {
    const file = fileOf(1, 2)
    file[at] = (file[at] ?? 0) ^ 4
    expect(decodeAcceptorFile(file)).toEqual({ kind: 'slot', slot: slotOf(2, 1002) })
  }
})

test('an acceptor file of which no slot is whole is damaged, not fresh', () => {
  const file = fileOf(1)
  file[ACCEPTOR_SLOT_BYTES + 20] = 1
  file[20] = 1
  expect(decodeAcceptorFile(file).kind).toBe('damaged')
  expect(decodeAcceptorFile(file.subarray(0, 5000)).kind).toBe('damaged')
})

test('more damage than fits into a slot is noted as one range that covers it all', () => {
  const unknown = Array.from({ length: 300 }, (_, i) => ({ from: 10 * i + 1, to: 10 * i + 2 }))
  const file = new Uint8Array(ACCEPTOR_FILE_BYTES)
  file.set(encodeAcceptorSlot({ ...slotOf(2, 5), state: { promised: 5, isSealed: false, unknown } }))
  const read = decodeAcceptorFile(file)
  expect(read.kind === 'slot' && read.slot.state.unknown).toEqual([{ from: 1, to: 2992 }])
})
