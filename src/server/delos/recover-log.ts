import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { MusterError } from '../../core/kernel/errors.ts'
import { endOfBytes, judgeTail, scanRecords, type Scan, type ScanPoint } from '../../core/delos/log/recovery.ts'
import { FORMAT, SEGMENT_HEADER_BYTES, decodeSegmentHeader, segmentName } from '../../core/delos/log/segment.ts'
import { readRecord } from '../../core/delos/log/record.ts'
import type { Gap } from '../../core/delos/log/repair.ts'
import { closeFile, openFile, syncData, writeAll } from './disk.ts'
import { listSegments } from './segment-files.ts'

/** A segment file and where in it positions are found. */
export interface Segment {
  first: number
  path: string
  sizeBytes: number
  /** sparse: some records' positions and offsets, ascending */
  index: { position: number; offset: number }[]
}

export interface Recovered {
  segments: Segment[]
  /** drawn at random when the log was made; null for an empty log */
  loglet: number | null
  /** the last segment's end; position 1 for an empty log */
  end: ScanPoint
  isSealed: boolean
  isMarked: boolean
  /** what was cut from the tail, if a write had been interrupted */
  repaired: { file: string; offset: number; bytes: number } | null
  /** what cannot be read and was acknowledged; only with `isSalvage` */
  gaps: Gap[]
}

/** The refusal of a damaged log: names file, offset and position. */
export function corrupt(file: string, offset: number, position: number, reason: string): MusterError {
  return new MusterError('DELOS_LOG_CORRUPT', `${file} is damaged at offset ${offset}, log position ${position}: ${reason}.`, {
    details: { file, offset, position, reason },
    hint: 'A server alone: `muster delos log repair --plan` says what can be done. One of several begins with an empty directory, and gets all from the others.',
  })
}

export interface RecoverOptions {
  /** damage is passed over and told in `gaps`: for a log whose lost entries others have too */
  isSalvage?: boolean | undefined
  /** nothing is cut */
  isReadOnly?: boolean
}

/**
 * Reads and checks every record of the log in `dir`, and cuts an interrupted write from its tail.
 * Rejects with DELOS_LOG_CORRUPT when entries that were acknowledged cannot be read, and with STATE_NEWER when a newer
 * version wrote the log. Nothing is changed in either case.
 */
export async function recoverLog(dir: string, { isSalvage = false, isReadOnly = false }: RecoverOptions = {}): Promise<Recovered> {
  const recovered: Recovered = {
    segments: [],
    loglet: null,
    end: { offset: 0, position: 1, prevCrc: 0 },
    isSealed: false,
    isMarked: true,
    repaired: null,
    gaps: [],
  }
  const firsts = await listSegments(dir)
  for (const [i, first] of firsts.entries()) {
    const path = join(dir, segmentName(first))
    const { bytes, endOffset } = await readSegment(path)
    const next = firsts[i + 1]
    const scan = scanSegment(path, bytes, first, i === 0 ? null : recovered, isSalvage)
    if (isSalvage) salvage(path, bytes, scan, next ?? null, recovered.gaps)
    recovered.segments.push({ first, path, sizeBytes: bytes.length, index: scan.index })
    recovered.loglet = scan.loglet
    recovered.isSealed = scan.isSealed
    recovered.isMarked = scan.isMarked
    recovered.end = { offset: scan.offset, position: scan.position, prevCrc: scan.prevCrc }
    if (next === undefined && isReadOnly) continue
    if (next === undefined) recovered.repaired = await repairTail(path, bytes, scan, endOffset)
    else if (next !== scan.position) {
      throw corrupt(path, scan.offset, scan.position, `the next file starts at position ${next}, so entries are missing here`)
    }
  }
  return recovered
}

/** Goes on behind each damage, with the next whole record, and notes what is lost between. */
function salvage(path: string, bytes: Uint8Array, scan: Scan & { loglet: number }, next: number | null, gaps: Gap[]): void {
  for (;;) {
    const { offset, position } = scan
    const verdict = judgeTail(bytes, scan, scan.loglet)
    const record = verdict.kind === 'rot' ? readRecord(bytes, verdict.witnessOffset) : null
    if (record === null || (next !== null && record.position > next)) {
      if (next === null || next <= position) return
      gaps.push({ from: position, to: next - 1, file: path, offset })
      scan.position = next
      scan.prevCrc = null
      return
    }
    gaps.push({ from: position, to: record.position - 1, file: path, offset })
    const more = scanRecords(bytes, { offset: record.offset, position: record.position, prevCrc: null }, scan.loglet)
    scan.index.push(...more.index)
    scan.offset = more.offset
    scan.position = more.position
    scan.prevCrc = more.prevCrc
    scan.isSealed ||= more.isSealed
    scan.isMarked = more.isMarked
  }
}

function scanSegment(
  path: string,
  bytes: Uint8Array,
  first: number,
  before: Recovered | null,
  isSalvage: boolean,
): Scan & { loglet: number } {
  const found = decodeSegmentHeader(bytes)
  const known = before?.loglet ?? readRecord(bytes, SEGMENT_HEADER_BYTES)?.loglet ?? null
  // Every record names its log too, so that a header is needed only to know which one that is.
  const header = found ?? (isSalvage && known !== null ? { format: FORMAT, firstPosition: first, loglet: known } : null)
  if (header === null) throw corrupt(path, 0, first, 'its header is not whole')
  if (header.format > FORMAT) {
    throw new MusterError('STATE_NEWER', `${path} has log format ${header.format}; this muster reads up to ${FORMAT}.`, {
      details: { file: path, format: header.format, known: FORMAT },
    })
  }
  if (header.firstPosition !== first) throw corrupt(path, 0, first, `its header says it starts at ${header.firstPosition}`)
  if (before !== null && header.loglet !== before.loglet) throw corrupt(path, 0, first, 'it belongs to another log')
  const start: ScanPoint = { offset: SEGMENT_HEADER_BYTES, position: first, prevCrc: first === 1 ? 0 : (before?.end.prevCrc ?? null) }
  return { ...scanRecords(bytes, start, header.loglet), loglet: header.loglet }
}

const CHUNK_BYTES = 1024 * 1024

/** All of a file, and the offset after its last byte that is not zero. What is zeros to the end is looked at, but takes no memory. */
async function readSegment(path: string): Promise<{ bytes: Uint8Array; endOffset: number }> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const chunk = new Uint8Array(Math.min(size, CHUNK_BYTES))
    let endOffset = size
    while (endOffset > 0) {
      const from = Math.max(0, endOffset - chunk.length)
      const part = chunk.subarray(0, endOffset - from)
      await readFully(file, part, from)
      const used = endOfBytes(part, 0)
      endOffset = from + used
      if (used > 0) break
    }
    const bytes = new Uint8Array(size)
    await readFully(file, bytes.subarray(0, endOffset), 0)
    return { bytes, endOffset }
  } finally {
    await file.close()
  }
}

async function readFully(file: FileHandle, into: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < into.length;) {
    const { bytesRead } = await file.read(into, done, into.length - done, offset + done)
    if (bytesRead === 0) throw new Error(`the file ended at ${offset + done} while it was read`)
    done += bytesRead
  }
}

async function repairTail(
  path: string,
  bytes: Uint8Array,
  scan: Scan & { loglet: number },
  endOffset: number,
): Promise<Recovered['repaired']> {
  // Nothing was written behind a seal.
  const verdict = scan.isSealed ? ({ kind: 'clean' } as const) : judgeTail(bytes, scan, scan.loglet, endOffset)
  if (verdict.kind === 'rot') {
    throw corrupt(
      path,
      scan.offset,
      scan.position,
      `a whole record follows it at offset ${verdict.witnessOffset}, so it had been acknowledged`,
    )
  }
  const fd = await openFile(path, 'r+')
  try {
    if (verdict.kind === 'torn') await writeAll(fd, new Uint8Array(verdict.endOffset - scan.offset), scan.offset)
    // Also when nothing was torn: the last record may be in the page cache only, and from here on it counts as durable.
    await syncData(fd)
  } finally {
    await closeFile(fd)
  }
  return verdict.kind === 'torn' ? { file: path, offset: scan.offset, bytes: verdict.endOffset - scan.offset } : null
}
