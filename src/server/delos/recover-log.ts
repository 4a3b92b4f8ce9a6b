import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MusterError } from '../../core/kernel/errors.ts'
import { judgeTail, scanRecords, type Scan, type ScanPoint } from '../../core/delos/log/recovery.ts'
import { FORMAT, SEGMENT_HEADER_BYTES, decodeSegmentHeader, segmentName } from '../../core/delos/log/segment.ts'
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
}

/** The refusal of a damaged log: names file, offset and position. */
export function corrupt(file: string, offset: number, position: number, reason: string): MusterError {
  return new MusterError('DELOS_LOG_CORRUPT', `${file} is damaged at offset ${offset}, log position ${position}: ${reason}.`, {
    details: { file, offset, position, reason },
  })
}

/**
 * Reads and checks every record of the log in `dir`, and cuts an interrupted write from its tail.
 * Rejects with DELOS_LOG_CORRUPT when entries that were acknowledged cannot be read, and with STATE_NEWER when a newer
 * version wrote the log. Nothing is changed in either case.
 */
export async function recoverLog(dir: string): Promise<Recovered> {
  const recovered: Recovered = {
    segments: [],
    loglet: null,
    end: { offset: 0, position: 1, prevCrc: 0 },
    isSealed: false,
    isMarked: true,
    repaired: null,
  }
  const firsts = await listSegments(dir)
  for (const [i, first] of firsts.entries()) {
    const path = join(dir, segmentName(first))
    const bytes = await readFile(path)
    const scan = scanSegment(path, bytes, first, i === 0 ? null : recovered)
    recovered.segments.push({ first, path, sizeBytes: bytes.length, index: scan.index })
    recovered.loglet = scan.loglet
    recovered.isSealed = scan.isSealed
    recovered.isMarked = scan.isMarked
    recovered.end = { offset: scan.offset, position: scan.position, prevCrc: scan.prevCrc }
    const next = firsts[i + 1]
    if (next === undefined) recovered.repaired = await repairTail(path, bytes, scan)
    else if (next !== scan.position) {
      throw corrupt(path, scan.offset, scan.position, `the next file starts at position ${next}, so entries are missing here`)
    }
  }
  return recovered
}

function scanSegment(path: string, bytes: Uint8Array, first: number, before: Recovered | null): Scan & { loglet: number } {
  const header = decodeSegmentHeader(bytes)
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

async function repairTail(path: string, bytes: Uint8Array, scan: Scan & { loglet: number }): Promise<Recovered['repaired']> {
  const verdict = judgeTail(bytes, scan, scan.loglet)
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
