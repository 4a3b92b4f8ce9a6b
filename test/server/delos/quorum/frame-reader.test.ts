import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FRAME_HEAD_BYTES, FrameReader } from '../../../../src/server/delos/quorum/frame-reader.ts'

const MAX = 100_000

function bytesOf(frames: readonly { channel: number; bytes: Uint8Array }[]): Buffer {
  return Buffer.concat(
    frames.flatMap(({ channel, bytes }) => {
      const head = Buffer.alloc(FRAME_HEAD_BYTES)
      head.writeUInt32BE(bytes.length, 0)
      head[4] = channel
      return [head, bytes]
    }),
  )
}

/** Cuts bytes into parts that end at these places, each in memory of its own that is overwritten once it was read. */
function readInParts(all: Buffer, ends: readonly number[]): { channel: number; bytes: Buffer }[] {
  const reader = new FrameReader(MAX)
  const read: { channel: number; bytes: Buffer }[] = []
  let from = 0
  for (const end of [...ends.toSorted((a, b) => a - b), all.length]) {
    const part = Buffer.from(all.subarray(from, end))
    from = Math.max(from, end)
    expect(
      reader.read(part, (channel, bytes) => {
        read.push({ channel, bytes })
        return null
      }),
    ).toBeNull()
  }
  return read
}

test('frames come out as they were sent, however the connection cuts them', () => {
  const frame = fc.record({ channel: fc.nat(255), bytes: fc.uint8Array({ maxLength: 40 }) })
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.nat(400), { maxLength: 12 }), (frames, cuts) => {
      const all = bytesOf(frames)
      const read = readInParts(
        all,
        cuts.map((at) => Math.min(at, all.length)),
      )
      expect(read.map(({ channel, bytes }) => ({ channel, bytes: [...bytes] }))).toEqual(
        frames.map(({ channel, bytes }) => ({ channel, bytes: [...bytes] })),
      )
    }),
  )
})

test('a frame that is too long ends the connection before any of it is taken', () => {
  const head = Buffer.alloc(FRAME_HEAD_BYTES)
  head.writeUInt32BE(MAX + 1, 0)
  const reader = new FrameReader(MAX)
  const all = Buffer.concat([bytesOf([{ channel: 2, bytes: new Uint8Array(3) }]), head, Buffer.alloc(10)])
  let taken = 0
  const reason = reader.read(all, () => {
    taken += 1
    return null
  })
  expect([taken, reason]).toEqual([1, `a frame of ${MAX + 1} bytes`])
})

test('whoever takes a frame ends the reading with a reason', () => {
  const all = bytesOf([1, 2, 3].map((channel) => ({ channel, bytes: new Uint8Array(channel) })))
  const taken: number[] = []
  const reason = new FrameReader(MAX).read(all, (channel) => {
    taken.push(channel)
    return channel === 2 ? 'no more' : null
  })
  expect([taken, reason]).toEqual([[1, 2], 'no more'])
})
