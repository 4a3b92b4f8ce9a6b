import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AnswerWriter, readAnswers, type AnswerListener } from '../../../../../src/core/delos/wire/native/answers.ts'
import { FRAME, frame, FrameSplitter, READ_HEAD_BYTES, WRITE_HEAD_BYTES } from '../../../../../src/core/delos/wire/native/frames.ts'
import { FrameWriter } from '../../../../../src/core/delos/wire/native/frame-writer.ts'
import { OP, OpCursor } from '../../../../../src/core/delos/wire/native/ops.ts'
import {
  areOps,
  readHello,
  readReadHead,
  readWriteHead,
  writeHello,
  writeOpening,
} from '../../../../../src/core/delos/wire/native/requests.ts'
import {
  readAnswersHead,
  readRefusal,
  readWelcome,
  writeAnswers,
  writeRefusal,
  writeWelcome,
} from '../../../../../src/core/delos/wire/native/responses.ts'

const text = fc.string({ unit: 'grapheme', maxLength: 20 })
const bytes = fc.uint8Array({ maxLength: 80 })
const natural = fc.maxSafeNat()

/** What follows the kind of the one frame that `write` writes. */
function bodyOf(write: (writer: FrameWriter) => void): Uint8Array {
  const writer = new FrameWriter(1)
  write(writer)
  const bodies: Uint8Array[] = []
  new FrameSplitter(1 << 20).push(writer.take(), (each) => bodies.push(each.subarray(1)))
  expect(bodies).toHaveLength(1)
  return bodies[0] as Uint8Array
}

test('frames come out as they went in, however the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 255 }), bytes), { maxLength: 8 }), fc.array(fc.nat(30)), (frames, cuts) => {
      const writer = new FrameWriter(1)
      for (const [kind, body] of frames) frame(writer, kind, () => writer.raw(body))
      const stream = writer.take()
      const splitter = new FrameSplitter(100)
      const found: [number, number[]][] = []
      for (let at = 0, i = 0; at < stream.length; i += 1) {
        const end = Math.min(stream.length, at + 1 + (cuts[i] ?? 7))
        splitter.push(stream.slice(at, end), (each) => found.push([each[0] ?? -1, [...each.subarray(1)]]))
        at = end
      }
      expect(found).toEqual(frames.map(([kind, body]) => [kind, [...body]]))
      expect([splitter.isBroken, splitter.heldBytes]).toEqual([false, 0])
    }),
  )
})

test('a frame that claims more than the limit, or nothing, breaks the stream and nothing after it is taken', () => {
  for (const length of [0, 101, 0xffff_ffff]) {
    const writer = new FrameWriter()
    frame(writer, FRAME.read, () => writer.u8(1))
    writer.u32(length)
    frame(writer, FRAME.read, () => writer.u8(2))
    const splitter = new FrameSplitter(100)
    const found: number[] = []
    splitter.push(writer.take(), (each) => found.push(each[1] ?? -1))
    splitter.push(Uint8Array.of(0, 0, 0, 1, 3), (each) => found.push(each[0] ?? -1))
    expect([found, splitter.isBroken]).toEqual([[1], true])
  }
})

const op = fc.record({ kind: fc.constantFrom(OP.put, OP.delete, OP.txn), key: bytes, body: bytes }).map(({ kind, key, body }) => ({
  kind: kind as number,
  key: kind === OP.txn ? new Uint8Array() : key,
  body: kind === OP.delete ? new Uint8Array() : body,
}))

function writeOps(writer: FrameWriter, ops: readonly { kind: number; key: Uint8Array; body: Uint8Array }[]): void {
  for (const { kind, key, body } of ops) {
    writer.u8(kind)
    writer.u16(key.length)
    writer.u32(body.length)
    writer.raw(key)
    writer.raw(body)
  }
}

test('operations are found where they stand; one byte less or more is none', () => {
  fc.assert(
    fc.property(fc.array(op, { maxLength: 10 }), (ops) => {
      const writer = new FrameWriter(1)
      writeOps(writer, ops)
      const whole = writer.take()
      const cursor = new OpCursor(whole, 0, ops.length)
      for (const each of ops) {
        expect(cursor.next()).toBe(true)
        expect([cursor.kind, whole.slice(cursor.keyAt, cursor.keyEnd), cursor.body.slice()]).toEqual([each.kind, each.key, each.body])
      }
      expect([cursor.next(), cursor.isWhole, areOps(whole, 0, ops.length, true)]).toEqual([false, true, true])
      expect(areOps(Uint8Array.from([...whole, 0]), 0, ops.length, true)).toBe(false)
      if (ops.length > 0) {
        expect(areOps(whole.subarray(0, whole.length - 1), 0, ops.length, true)).toBe(false)
        expect(areOps(whole, 0, ops.length + 1, true)).toBe(false)
        // Writes are no reads.
        expect(areOps(whole, 0, ops.length, false)).toBe(false)
      }
    }),
  )
})

test('a hello, a welcome, a refusal, an opening and the heads of answers are read as they were written', () => {
  fc.assert(
    fc.property(text, text, natural, natural, fc.integer({ min: -1, max: 999 }), fc.nat(255), (one, two, id, floor, index, code) => {
      const hello = { token: one, user: two, password: one + two }
      expect(readHello(bodyOf((writer) => writeHello(writer, hello)))).toEqual(hello)
      const welcome = { frameBytesMax: id % 0xffff_ffff, opsMax: 1000, token: one }
      expect(readWelcome(bodyOf((writer) => writeWelcome(writer, welcome)))).toEqual(welcome)
      const refusal = { of: 1, id, index, error: { code, text: two } }
      expect(readRefusal(bodyOf((writer) => writeRefusal(writer, refusal)))).toEqual(refusal)
      const opening = readWriteHead(bodyOf((writer) => writeOpening(writer, id, floor)))
      expect(opening).toEqual({ session: id, seq: 0, floor, count: 0 })
      const answers = bodyOf((writer) => writeAnswers(writer, FRAME.written, id, 3, new Uint8Array(2)))
      expect(readAnswersHead(answers)).toEqual({ id, count: 3 })
    }),
  )
})

type Told = [string, ...unknown[]]
const answer = fc.oneof(
  fc.tuple(fc.constant('changed'), fc.integer({ min: 1, max: 4 })),
  fc.tuple(fc.constant('nothing'), fc.nat()),
  fc.tuple(fc.constant('refused'), fc.record({ code: fc.nat(16), text })),
  fc.tuple(fc.constant('message'), bytes),
  fc.tuple(
    fc.constant('found'),
    fc.record({
      mod_revision: natural,
      create_revision: natural,
      version: natural,
      lease: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
      value: bytes,
    }),
  ),
) as fc.Arbitrary<Told>

function listener(told: Told[]): AnswerListener {
  const note =
    (name: string) =>
    (index: number, value: unknown): void => {
      told[index] = [name, value]
    }
  return { changed: note('changed'), nothing: note('nothing'), refused: note('refused'), message: note('message'), found: note('found') }
}

test('answers are told as they were written, and torn ones are not taken for whole', () => {
  fc.assert(
    fc.property(fc.array(answer, { maxLength: 40 }), fc.nat(1000), (answers, cut) => {
      const writer = new AnswerWriter()
      let revision = 10
      const wanted = answers.map(([kind, value]): Told => {
        if (kind === 'changed') revision += value === 4 ? 2 : 1
        const told = kind === 'changed' ? revision : value
        writer[kind as 'message'](kind === 'found' ? ({ key: 'k', ...(value as object) } as never) : (told as never))
        return [kind, told]
      })
      const whole = writer.take()
      const told: Told[] = []
      expect(readAnswers(whole, 0, answers.length, listener(told))).toBe(true)
      expect(told).toEqual(wanted)
      if (whole.length > 0) {
        expect(readAnswers(whole.subarray(0, cut % whole.length), 0, answers.length, listener([]))).toBe(false)
        expect(readAnswers(whole, 0, answers.length + 1, listener([]))).toBe(false)
      }
    }),
  )
})

test('a thousand puts at consecutive revisions are answered by eleven bytes', () => {
  const writer = new AnswerWriter()
  for (let i = 0; i < 1000; i += 1) writer.changed(500 + i)
  const whole = writer.take()
  const told: Told[] = []
  expect([whole.length, readAnswers(whole, 0, 1000, listener(told)), told[999]]).toEqual([11, true, ['changed', 1499]])
})

test('garbage is refused without an exception, whatever reads it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(1000), (garbage, count) => {
      const answers = readAnswers(garbage, 0, count, listener([]))
      expect(typeof answers).toBe('boolean')
      for (const read of [readHello, readWelcome, readRefusal, readAnswersHead]) read(garbage)
      const head = readWriteHead(garbage)
      if (head !== null) areOps(garbage, WRITE_HEAD_BYTES, head.count, true)
      const reads = readReadHead(garbage)
      if (reads !== null) areOps(garbage, READ_HEAD_BYTES, reads.count, false)
      new FrameSplitter(64).push(garbage, () => undefined)
    }),
  )
})
