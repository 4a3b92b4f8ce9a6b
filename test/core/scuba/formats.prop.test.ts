import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeManifest, encodeManifestLine, foldManifest, type ManifestRecord } from '../../../src/core/scuba/wal/manifest.ts'
import { decodeRecord, encodeRecord, type JournalHeader } from '../../../src/core/scuba/wal/record.ts'

const header = fc.record({
  seq: fc.nat(),
  table: fc.stringMatching(/^[a-z][a-z0-9_]{0,10}$/),
  rows: fc.nat(),
  minUs: fc.nat(),
  maxUs: fc.nat(),
  at: fc.nat(),
}) as fc.Arbitrary<JournalHeader>
const record = fc.tuple(header, fc.uint8Array({ maxLength: 300 }))

const concat = (parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts)

const readAll = (bytes: Uint8Array): { header: JournalHeader; payload: string }[] => {
  const out: { header: JournalHeader; payload: string }[] = []
  let offset = 0
  for (let next = decodeRecord(bytes, 0, crc32); next; next = decodeRecord(bytes, offset, crc32)) {
    out.push({ header: next.header, payload: Buffer.from(next.payload).toString('hex') })
    offset = next.end
  }
  return out
}

test('a journal cut at any byte gives exactly the batches that were whole before the cut', () => {
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 6 }), fc.double({ min: 0, max: 1, noNaN: true }), (records, share) => {
      const encoded = records.map(([head, payload]) => encodeRecord(head, payload, crc32))
      const whole = concat(encoded)
      const cut = Math.floor(share * whole.length)
      let end = 0
      const expected = records.filter((_, i) => (end += encoded[i]?.length ?? 0) <= cut)
      expect(readAll(whole.subarray(0, cut))).toEqual(
        expected.map(([head, payload]) => ({ header: head, payload: Buffer.from(payload).toString('hex') })),
      )
    }),
    { numRuns: 200 },
  )
})

test('a flipped bit in a batch is never read as a batch', () => {
  fc.assert(
    fc.property(record, fc.nat(), ([head, payload], at) => {
      const bytes = Buffer.from(encodeRecord(head, payload, crc32))
      const bit = at % (bytes.length * 8)
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(decodeRecord(bytes, 0, crc32)).toBeNull()
    }),
    { numRuns: 300 },
  )
})

const segment = (table: string, file: string, rows: number) => ({ file, table, rows, bytes: 1, sha256: 'x', minUs: 0, maxUs: 1 })

test('a manifest cut at any byte folds to what its whole lines say: a segment replaces what it was made from, or nothing happened', () => {
  const records: ManifestRecord[] = [
    { kind: 'segment', segment: segment('a', 'a1', 5), throughSeq: 3, replaces: [], columns: { x: 'BIGINT' } },
    { kind: 'segment', segment: segment('a', 'a2', 2), throughSeq: 9, replaces: [], columns: { x: 'BIGINT' } },
    { kind: 'segment', segment: segment('a', 'a3', 7), throughSeq: 0, replaces: ['a1', 'a2'], columns: { x: 'DOUBLE' } },
    { kind: 'retention', table: 'a', days: 1, gb: 2 },
    { kind: 'drop', table: 'a', files: ['a3'], reason: 'age' },
  ]
  const lines = records.map((each) => encodeManifestLine(each, crc32))
  const bytes = concat(lines)
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const { records: read, goodBytes } = decodeManifest(bytes.subarray(0, cut), crc32)
    expect(goodBytes).toBe(lines.slice(0, read.length).reduce((sum, line) => sum + line.length, 0))
    const rows = [...(foldManifest(read).get('a')?.segments.values() ?? [])].reduce((sum, each) => sum + each.rows, 0)
    expect(rows).toBe([0, 5, 7, 7, 7, 0][read.length])
  }
  expect(foldManifest(records).get('a')).toMatchObject({ throughSeq: 9, columns: { x: 'DOUBLE' }, retention: { days: 1, gb: 2 } })
})
