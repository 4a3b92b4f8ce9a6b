import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { judgeTail, scanRecords, type ScanPoint } from '../../core/delos/log/recovery.ts'
import { FORMAT, SEGMENT_HEADER_BYTES, decodeSegmentHeader, segmentName } from '../../core/delos/log/segment.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import { listSegments } from './segment-files.ts'

/**
 * - `torn`: the last write is not whole; nothing of it was acknowledged, and it is cut at the next start
 * - `rot`: what was acknowledged cannot be read
 * - `missing`: positions that no file has
 */
export interface BadPlace {
  kind: 'torn' | 'rot' | 'missing'
  position: number
  file: string
  offset: number
  reason: string
}

export interface LogVerdict {
  dir: string
  files: number
  bytes: number
  /** positions that were looked at; `last` below `first`: none are there */
  first: number
  last: number
  isSealed: boolean
  /** the first one; null: all is whole */
  bad: BadPlace | null
}

/** A write that goes on while it is read is over after so long. */
const SETTLE_MS = 150
const DEPTH_MAX = 4

/** Folders with segment files in or below a folder, in order. Rejects with NOT_FOUND when there are none. */
export async function logsBelow(dir: string): Promise<string[]> {
  const found: string[] = []
  const look = async (folder: string, depth: number): Promise<void> => {
    const items = await readdir(folder, { withFileTypes: true })
    if (items.some((item) => item.isFile() && item.name.endsWith('.seg'))) found.push(folder)
    if (depth === 0) return
    for (const item of items.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      if (item.isDirectory()) await look(join(folder, item.name), depth - 1)
    }
  }
  try {
    await look(dir, DEPTH_MAX)
  } catch (error) {
    throw new MusterError('NOT_FOUND', `${dir} cannot be read (${(error as NodeJS.ErrnoException).code})`, { cause: error })
  }
  if (found.length === 0) throw new MusterError('NOT_FOUND', `there is no log in ${dir}`)
  return found
}

/**
 * Checks every record of a log from one position to another, changing nothing; its server may be writing to it. Rejects with STATE_NEWER
 * for a log of a newer version.
 */
export async function verifyLog(
  dir: string,
  { from = 1, to = Number.POSITIVE_INFINITY }: { from?: number; to?: number } = {},
): Promise<LogVerdict> {
  const firsts = await listSegments(dir)
  const start = Math.max(
    0,
    firsts.findLastIndex((first) => first <= from),
  )
  const verdict: LogVerdict = { dir, files: 0, bytes: 0, first: Math.max(from, firsts[start] ?? 1), last: 0, isSealed: false, bad: null }
  let before: { point: ScanPoint; loglet: number } | null = null
  for (const [i, first] of firsts.entries()) {
    if (i < start || first > to) continue
    const file = join(dir, segmentName(first))
    const segment = await judgeSegment(file, first, firsts[i + 1] ?? null, before)
    verdict.files += 1
    verdict.bytes += segment.bytes
    verdict.last = Math.min(to, segment.end.position - 1)
    verdict.isSealed = segment.isSealed
    // What is damaged before or after the positions that were asked for is not the answer.
    if (segment.bad !== null && segment.bad.position >= from && segment.bad.position <= to) return { ...verdict, bad: segment.bad }
    before = { point: segment.end, loglet: segment.loglet }
  }
  return verdict
}

interface Judged {
  bytes: number
  end: ScanPoint
  loglet: number
  isSealed: boolean
  bad: BadPlace | null
}

/** @param next first position of the file after it; null: it is the newest */
async function judgeSegment(
  file: string,
  first: number,
  next: number | null,
  before: { point: ScanPoint; loglet: number } | null,
): Promise<Judged> {
  const judged = judgeBytes(file, await readFile(file), first, next, before)
  if (next !== null || judged.bad?.kind !== 'torn') return judged
  // The record may be under way this moment; one that was interrupted stays as it is.
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
  return judgeBytes(file, await readFile(file), first, next, before)
}

function judgeBytes(
  file: string,
  bytes: Uint8Array,
  first: number,
  next: number | null,
  before: { point: ScanPoint; loglet: number } | null,
): Judged {
  const header = decodeSegmentHeader(bytes)
  const rot = (offset: number, position: number, reason: string): BadPlace => ({ kind: 'rot', position, file, offset, reason })
  const lost = (bad: BadPlace): Judged => ({
    bytes: bytes.length,
    end: { offset: 0, position: next ?? first, prevCrc: null },
    loglet: before?.loglet ?? 0,
    isSealed: false,
    bad,
  })
  if (header === null) return lost(rot(0, first, 'the header of the file is not whole'))
  if (header.format > FORMAT)
    throw new MusterError('STATE_NEWER', `${file} has log format ${header.format}; this muster reads up to ${FORMAT}.`)
  if (header.firstPosition !== first) return lost(rot(0, first, `the header of the file says it starts at ${header.firstPosition}`))
  if (before !== null && before.loglet !== 0 && header.loglet !== before.loglet)
    return lost(rot(0, first, 'the file belongs to another log'))
  const prevCrc = first === 1 ? 0 : (before?.point.prevCrc ?? null)
  const scan = scanRecords(bytes, { offset: SEGMENT_HEADER_BYTES, position: first, prevCrc }, header.loglet)
  const end: ScanPoint = { offset: scan.offset, position: scan.position, prevCrc: scan.prevCrc }
  const whole: Judged = { bytes: bytes.length, end, loglet: header.loglet, isSealed: scan.isSealed, bad: null }
  const tail = judgeTail(bytes, scan, header.loglet)
  if (tail.kind === 'rot')
    return { ...whole, bad: rot(scan.offset, scan.position, `a whole record follows it at offset ${tail.witnessOffset}`) }
  if (next === null) {
    if (tail.kind === 'clean') return whole
    const reason = `${tail.endOffset - scan.offset} bytes of a write that did not finish; the next start cuts them`
    return { ...whole, bad: { kind: 'torn', position: scan.position, file, offset: scan.offset, reason } }
  }
  if (next === scan.position) return whole
  // The next file goes on elsewhere; the chain cannot be followed into it.
  const onward = { ...whole, end: { ...end, position: next, prevCrc: null } }
  if (tail.kind === 'torn') return { ...onward, bad: rot(scan.offset, scan.position, `it is damaged, and the next file starts at ${next}`) }
  const reason = next > scan.position ? `positions up to ${next - 1} are in no file` : `the next file starts before it, at ${next}`
  return { ...onward, bad: { kind: 'missing', position: scan.position, file, offset: scan.offset, reason } }
}
