import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BatchBuilder, batchEntries } from '../../../src/core/delos/log/batch.ts'
import { crc32c } from '../../../src/core/delos/log/crc32c.ts'
import { judgeTail, scanRecords, type ScanPoint } from '../../../src/core/delos/log/recovery.ts'
import { KIND, readRecord } from '../../../src/core/delos/log/record.ts'
import { decodeSegmentHeader, encodeSegmentHeader, positionOfName, segmentName } from '../../../src/core/delos/log/segment.ts'

const LOGLET = 7
const START: ScanPoint = { offset: 64, position: 1, prevCrc: 0 }
const batches = fc.array(fc.array(fc.uint8Array({ maxLength: 60 }), { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 8 })

/** A segment of 8 KiB holding these batches; `ends[i]` is the offset after batch i. */
function segmentOf(list: Uint8Array[][]): { bytes: Uint8Array; ends: number[] } {
  const bytes = new Uint8Array(8192)
  bytes.set(encodeSegmentHeader({ format: 1, firstPosition: 1, loglet: LOGLET }))
  let [offset, position, prevCrc] = [64, 1, 0]
  const ends: number[] = []
  const builder = new BatchBuilder(16)
  for (const entries of list) {
    builder.reset()
    builder.add(entries)
    const record = builder.finish({ kind: KIND.batch, position, ballot: 0, synced: position - 1, prevCrc, loglet: LOGLET })
    bytes.set(record.bytes, offset)
    offset += record.bytes.length
    position += entries.length
    prevCrc = record.crc
    ends.push(offset)
  }
  return { bytes, ends }
}

const countsTo = (list: Uint8Array[][], batch: number): number => 1 + list.slice(0, batch).reduce((sum, entries) => sum + entries.length, 0)

test('the checksum is CRC-32C, at any alignment', () => {
  const text = new TextEncoder().encode('123456789')
  expect(crc32c(text)).toBe(0xe3069283)
  // RFC 3720, B.4: 32 bytes of zeros, of ones, and counting up.
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43)
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(9), (bytes, shift) => {
      const shifted = new Uint8Array(bytes.length + shift)
      shifted.set(bytes, shift)
      expect(crc32c(shifted, shift)).toBe(crc32c(bytes))
    }),
  )
})

test('what was put into batches comes back out of their records', () => {
  fc.assert(
    fc.property(batches, (list) => {
      const { bytes, ends } = segmentOf(list)
      const scan = scanRecords(bytes, START, LOGLET)
      expect([scan.offset, scan.position]).toEqual([ends.at(-1), countsTo(list, list.length)])
      expect(judgeTail(bytes, scan, LOGLET)).toEqual({ kind: 'clean' })
      let offset = 64
      for (const [i, entries] of list.entries()) {
        const record = readRecord(bytes, offset)
        expect(record?.position).toBe(countsTo(list, i))
        expect(record === null ? null : batchEntries(bytes, record)).toEqual(entries)
        offset = ends[i] ?? 0
      }
    }),
  )
})

describe('a damaged segment', () => {
  test('torn at any byte of its last record keeps all before it, and is never taken for rot', () => {
    fc.assert(
      fc.property(batches, fc.nat(), (list, random) => {
        const { bytes, ends } = segmentOf(list)
        const start = ends.at(-2) ?? 64
        const end = ends.at(-1) ?? 64
        bytes.fill(0, start + (random % (end - start)), end)
        const scan = scanRecords(bytes, START, LOGLET)
        // Only zeros may have been torn off (an empty last entry): then the record is whole.
        const kept = scan.offset === end ? list.length : list.length - 1
        expect([scan.offset, scan.position]).toEqual([kept === list.length ? end : start, countsTo(list, kept)])
        expect(judgeTail(bytes, scan, LOGLET).kind).not.toBe('rot')
      }),
    )
  })

  test('with any bit flipped before its last record is rot, at the position of the damaged record', () => {
    fc.assert(
      fc.property(
        batches.filter((list) => list.length > 1),
        fc.nat(),
        fc.nat(7),
        (list, random, bit) => {
          const { bytes, ends } = segmentOf(list)
          const lastStart = ends.at(-2) ?? 64
          const at = 64 + (random % (lastStart - 64))
          bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
          const scan = scanRecords(bytes, START, LOGLET)
          const damaged = ends.findIndex((end) => at < end)
          // The padding after a payload holds nothing: a flip there is no damage.
          if (scan.offset === ends.at(-1)) return
          expect(scan.position).toBe(countsTo(list, damaged))
          expect(judgeTail(bytes, scan, LOGLET).kind).toBe('rot')
        },
      ),
    )
  })

  test('records of another log, or of an earlier life of the file, are not taken for ours', () => {
    const { bytes } = segmentOf([[new Uint8Array(8)], [new Uint8Array(8)]])
    expect(scanRecords(bytes, START, LOGLET + 1).position).toBe(1)
    expect(judgeTail(bytes, { ...START }, LOGLET + 1).kind).toBe('torn')
    expect(scanRecords(bytes, { ...START, prevCrc: 5 }, LOGLET).position).toBe(1)
  })
})

test('what is cut from a tail goes to its last byte that is not zero, at any alignment', () => {
  fc.assert(
    fc.property(fc.nat(40), fc.nat(16), fc.nat(30), fc.option(fc.nat(29)), (size, shift, from, mark) => {
      const bytes = new Uint8Array(size + shift + 8).subarray(shift, shift + size)
      const offset = Math.min(from, size)
      if (mark !== null && mark < size) bytes[mark] = 1
      const isTorn = mark !== null && mark < size && mark >= offset
      const expected = isTorn ? { kind: 'torn', endOffset: mark + 1 } : { kind: 'clean' }
      expect(judgeTail(bytes, { offset, position: 1, prevCrc: 0 }, 1)).toEqual(expected)
    }),
  )
})

test('a segment header is read back, and any flipped bit of it is found', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(2 ** 31), fc.nat(), (firstPosition, loglet, random) => {
      const header = { format: 1, firstPosition, loglet }
      const bytes = encodeSegmentHeader(header)
      expect(decodeSegmentHeader(bytes)).toEqual(header)
      const bit = random % (bytes.length * 8)
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(decodeSegmentHeader(bytes)).toBeNull()
      expect(positionOfName(segmentName(firstPosition))).toBe(firstPosition)
    }),
  )
})
