import { KIND, RECORD_HEADER_BYTES, claimedBytes, readRecord, type RecordRef } from './record.ts'

/** Where a record may stand: everything known after the records before it. */
export interface ScanPoint {
  offset: number
  /** of the next entry */
  position: number
  /** CRC of the record before; null: not known (the first of a trimmed log) */
  prevCrc: number | null
}

export interface Scan extends ScanPoint {
  isSealed: boolean
  /** whether the last record proves that everything before it is on disk */
  isMarked: boolean
  /** position and offset of a record, one per `INDEX_STRIDE_BYTES` or so, ascending */
  index: { position: number; offset: number }[]
}

/** A reader that looks for a position starts at most this far before it. */
export const INDEX_STRIDE_BYTES = 64 * 1024

/** Whether the record is the one that must stand at this point. */
function follows(record: RecordRef, at: ScanPoint, loglet: number): boolean {
  return record.loglet === loglet && record.position === at.position && (at.prevCrc === null || record.prevCrc === at.prevCrc)
}

/** Reads records from `start` as long as each is whole and follows the one before. */
export function scanRecords(bytes: Uint8Array, start: ScanPoint, loglet: number): Scan {
  const scan: Scan = { ...start, isSealed: false, isMarked: false, index: [] }
  let indexedAt = -INDEX_STRIDE_BYTES
  for (;;) {
    const record = readRecord(bytes, scan.offset)
    if (record === null || !follows(record, scan, loglet)) return scan
    if (record.kind === KIND.batch && record.offset - indexedAt >= INDEX_STRIDE_BYTES) {
      scan.index.push({ position: record.position, offset: record.offset })
      indexedAt = record.offset
    }
    scan.offset = record.end
    scan.position += record.count
    scan.prevCrc = record.crc
    scan.isSealed ||= record.kind === KIND.seal
    scan.isMarked = record.kind !== KIND.batch
  }
}

/**
 * What stands after the last good record of the newest segment file.
 * - `clean`: nothing but zeros
 * - `torn`: bytes of a write that never finished; they are cut, for nothing of them was acknowledged
 * - `rot`: a whole record stands behind them. A record is written only when all before it are on disk (its `synced`
 *   says so), so what is damaged here was acknowledged
 *
 * @param endOffset after the last byte that is not zero
 */
export type TailVerdict = { kind: 'clean' } | { kind: 'torn'; endOffset: number } | { kind: 'rot'; witnessOffset: number }

export function judgeTail(bytes: Uint8Array, at: ScanPoint, loglet: number, endOffset = endOfBytes(bytes, at.offset)): TailVerdict {
  for (let offset = at.offset; offset < endOffset && offset + RECORD_HEADER_BYTES <= bytes.length; offset += 8) {
    if (claimedBytes(bytes, offset) === null) continue
    const record = readRecord(bytes, offset)
    if (record !== null && record.loglet === loglet && record.position >= at.position) return { kind: 'rot', witnessOffset: offset }
  }
  return endOffset <= at.offset ? { kind: 'clean' } : { kind: 'torn', endOffset }
}

/** Offset after the last byte that is not zero, at least `from`. By words: most of a segment file is zeros, and every start waits for this. */
export function endOfBytes(bytes: Uint8Array, from: number): number {
  let end = bytes.length
  const isZero = (): boolean => end > from && bytes[end - 1] === 0
  while ((bytes.byteOffset + end) % 4 !== 0 && isZero()) end -= 1
  if ((bytes.byteOffset + end) % 4 === 0) {
    const lead = (4 - (bytes.byteOffset % 4)) % 4
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset + lead, Math.max(0, end - lead) >>> 2)
    let count = words.length
    while (count > 0 && lead + count * 4 - 4 >= from && words[count - 1] === 0) count -= 1
    end = Math.min(end, lead + count * 4)
  }
  while (isZero()) end -= 1
  return end
}
