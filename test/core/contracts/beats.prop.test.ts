import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  BeatReader,
  beatsFrame,
  livesFrame,
  sealedFrame,
  type AgentLife,
  type LifeBeat,
  type SealedBeat,
} from '../../../src/core/contracts/beats.ts'

const life = fc.record({
  node: fc.string({ minLength: 1, maxLength: 63, unit: fc.constantFrom(...'abcxyz019.-') }),
  bootId: fc.uuid(),
  instance: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
})
const beat = fc.record({ life: fc.nat({ max: 2 ** 32 - 1 }), seq: fc.nat({ max: 2 ** 32 - 1 }), hash: fc.nat({ max: 2 ** 48 - 1 }) })
const sealed = fc.record({
  ...{ life: fc.nat({ max: 2 ** 32 - 1 }), seq: fc.nat({ max: 2 ** 32 - 1 }), hash: fc.nat({ max: 2 ** 48 - 1 }) },
  ping: fc.nat({ max: 2 ** 32 - 1 }),
  heldMs: fc.nat({ max: 65_535 }),
  mac: fc.uint8Array({ minLength: 8, maxLength: 8 }),
})

interface Read {
  lives: AgentLife[]
  beats: LifeBeat[]
  others: AgentLife[]
  sealed: SealedBeat[]
}

/** What is read of these bytes, given in pieces of these lengths in turn; null: it was refused. */
function readBack(bytes: Uint8Array, pieces: readonly number[]): Read | null {
  const read: Read = { lives: [], beats: [], others: [], sealed: [] }
  const reader = new BeatReader({
    life: (one) => read.lives.push(one),
    beat: (one) => read.beats.push(one),
    othersLife: (one) => read.others.push(one),
    sealed: (one) => read.sealed.push(one),
  })
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const length = pieces[i % pieces.length] ?? 1
    if (!reader.read(bytes.subarray(at, at + length))) return null
    at += length
  }
  return read
}

test('lives and beats are read as they were written, however the connection cuts them', () => {
  fc.assert(
    fc.property(
      fc.array(life, { maxLength: 20 }),
      fc.array(beat, { maxLength: 50 }),
      fc.array(sealed, { maxLength: 50 }),
      fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 5 }),
      (lives, beats, held, pieces) => {
        const bytes = Buffer.concat([livesFrame(lives), beatsFrame(beats), livesFrame(lives, true), sealedFrame(held), beatsFrame(beats)])
        expect(readBack(bytes, pieces)).toEqual({ lives, others: lives, sealed: held, beats: [...beats, ...beats] })
      },
    ),
  )
})

test('what was read is kept when the piece it came in is written over', () => {
  const held = [{ life: 0, seq: 1, hash: 2, ping: 3, heldMs: 4, mac: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) }]
  const bytes = Buffer.concat([sealedFrame(held), beatsFrame([{ life: 0, seq: 1, hash: 2 }])])
  const read: unknown[] = []
  const reader = new BeatReader({ life: () => {}, beat: (one) => read.push(one), sealed: (one) => read.push(one) })
  const piece = Buffer.from(bytes.subarray(0, -6))
  reader.read(piece)
  piece.fill(0xff)
  reader.read(bytes.subarray(-6))
  expect(read).toEqual([...held, { life: 0, seq: 1, hash: 2 }])
})

test('what is no frame of beats is refused or waited for, and never throws', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void readBack(bytes, [7])))
  const whole = livesFrame([{ node: 'n1', bootId: 'b', instance: 1 }])
  const cut = whole.slice(0, -1)
  new DataView(cut.buffer).setUint32(0, cut.length - 4, true)
  expect(readBack(cut, [1000])).toBeNull()
  expect(readBack(Uint8Array.of(0, 0, 0, 0x7f, 2), [5])).toBeNull()
  expect(readBack(Uint8Array.of(2, 0, 0, 0, 2, 0), [6])).toBeNull()
})
