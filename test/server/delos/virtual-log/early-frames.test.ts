import { expect, test } from 'vitest'
import { EARLY_BYTES_MAX, EARLY_FRAMES_MAX, EarlyFrames } from '../../../../src/server/delos/virtual-log/early-frames.ts'

test('frames that come early are given in their order, once, and those of other loglets stay', () => {
  const early = new EarlyFrames()
  early.keep(1n, 7, Uint8Array.of(1))
  early.keep(2n, 8, Uint8Array.of(2, 2))
  early.keep(3n, 7, Uint8Array.of(3, 3, 3))
  expect(early.bytes).toBe(6)
  expect(early.take(7).map(({ from, frame }) => [from, frame.length])).toEqual([
    [1n, 1],
    [3n, 3],
  ])
  expect(early.take(7)).toEqual([])
  expect(early.bytes).toBe(2)
})

test('so many are kept, and so many bytes of them, however long one is', () => {
  const many = new EarlyFrames()
  for (let i = 0; i < EARLY_FRAMES_MAX + 10; i += 1) many.keep(1n, 7, Uint8Array.of(1))
  expect(many.take(7)).toHaveLength(EARLY_FRAMES_MAX)
  const large = new EarlyFrames()
  for (let i = 0; i < 10; i += 1) large.keep(1n, 7, new Uint8Array(EARLY_BYTES_MAX / 4))
  expect(large.bytes).toBe(EARLY_BYTES_MAX)
  expect(large.take(7)).toHaveLength(4)
})

test('a frame that is kept is a copy: its buffer is used again', () => {
  const early = new EarlyFrames()
  const frame = Uint8Array.of(1, 2)
  early.keep(1n, 7, frame)
  frame.fill(9)
  expect([...(early.take(7)[0]?.frame ?? [])]).toEqual([1, 2])
})
