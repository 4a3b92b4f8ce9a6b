import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BatchWriter, readBatch } from '../../../../src/core/delos/engines/batch.ts'

const entry = fc.record({
  kind: fc.nat(255),
  user: fc.uint8Array({ maxLength: 255 }),
  authRevision: fc.nat(),
  body: fc.uint8Array({ maxLength: 5000 }),
})

test('a batch is read as it was written, and a writer that is used again leaves the batches before as they were', () => {
  fc.assert(
    fc.property(fc.array(fc.array(entry, { maxLength: 20 }), { minLength: 1, maxLength: 4 }), (batches) => {
      const writer = new BatchWriter(16)
      const written = batches.map((entries, seq) => {
        writer.reset()
        for (const { kind, body, user, authRevision } of entries) writer.add(kind, body, user, authRevision)
        return writer.finish({ timeMs: 1_795_872_357_117, proposer: 281_474_976_710_655, seq })
      })
      for (const [seq, bytes] of written.entries()) {
        expect(readBatch(bytes)).toEqual({ timeMs: 1_795_872_357_117, proposer: 281_474_976_710_655, seq, entries: batches[seq] })
      }
    }),
  )
})

test('a batch of a version that is not known is not guessed at', () => {
  const bytes = new BatchWriter().finish({ timeMs: 0, proposer: 0, seq: 0 })
  bytes[0] = 2
  expect(readBatch(bytes)).toBeNull()
})
