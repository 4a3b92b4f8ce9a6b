import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { readBase, readTimes } from './log-keeper.ts'

export interface LogLine {
  /** when it was written, ms since the epoch, to a quarter of a second */
  time: number
  stream: 'out' | 'err'
  line: string
}

export interface LogQuery {
  stream: 'out' | 'err' | 'all'
  /** last so many lines of each stream; absent: all that are kept */
  lines?: number
  /** ms since the epoch */
  since?: number
  /** only lines this is true of */
  isMatch?: (line: string) => boolean
}

const WINDOW_BYTES = 256 * 1024
const CHUNK_BYTES = 1024 * 1024
const FOLLOW_POLL_MS = 100
/** A line longer than this is shown in pieces. */
export const LINE_BYTES_MAX = 1024 * 1024

/**
 * Reads the kept lines of a task's logs, both streams interleaved by time; then, when asked, what follows until `follow` aborts or
 * the task is over and all it said was read.
 */
export async function* readLogs(
  files: { out: string; err: string },
  query: LogQuery,
  follow: AbortSignal | null,
  isOver: () => boolean = () => false,
): AsyncGenerator<LogLine> {
  const streams = (['out', 'err'] as const).filter((name) => query.stream === 'all' || query.stream === name)
  const cursors = streams.map((name) => ({ name, file: files[name], ...readKept(files[name], query) }))
  const past = cursors.flatMap(({ name, lines }) => lines.map((line) => ({ ...line, stream: name })))
  // Equal times keep their order within a stream.
  past.sort((a, b) => a.time - b.time)
  yield* past
  while (follow !== null && !follow.aborted) {
    let got = 0
    // Asked before reading: whatever was written until then is read in this round.
    const isLast = isOver()
    for (const cursor of cursors) {
      const { text, end } = readText(cursor.file, cursor.end)
      const whole = isLast || text.length > LINE_BYTES_MAX ? text.length : text.lastIndexOf(0x0a) + 1
      // Emptied by the keeper's fallback: go on from its new beginning.
      if (end < cursor.end) cursor.end = 0
      if (whole === 0) continue
      cursor.end += whole
      for (const line of splitLines(text.subarray(0, whole))) {
        if (query.isMatch?.(line.text) === false) continue
        got += 1
        yield { time: Date.now(), stream: cursor.name, line: line.text }
      }
    }
    if (isLast) return
    if (got === 0) await sleep(FOLLOW_POLL_MS, undefined, { signal: follow }).catch(() => {})
  }
}

/** Lines of one file that the query asks for, with the offset after the last whole one. */
function readKept(file: string, query: LogQuery): { lines: { time: number; line: string }[]; end: number } {
  const size = sizeOf(file)
  const base = readBase(file)
  const notes = readTimes(file)
  // What came after the last note was written by the time of the last write; nothing came: that is before the note.
  const times = size > (notes.at(-1)?.size ?? 0) ? [...notes, { time: writtenAt(file), size: Number.POSITIVE_INFINITY }] : notes
  const { since, isMatch } = query
  // Everything up to the last note before `since` is older than it.
  const sinceOffset = since === undefined ? base : Math.max(base, Math.min(size, times.findLast((note) => note.time < since)?.size ?? base))
  const wanted = query.lines ?? Number.POSITIVE_INFINITY
  let windowBytes = Number.isFinite(wanted) && isMatch === undefined ? WINDOW_BYTES : Number.POSITIVE_INFINITY
  for (;;) {
    const from = Math.max(sinceOffset, size - windowBytes)
    const { text } = readText(file, from, size)
    // A window that begins inside a line leaves that line out; the first kept byte after a trim is such a place too.
    const skip = from === 0 || (from === sinceOffset && from !== base) ? 0 : text.indexOf(0x0a) + 1
    const end = from + text.length
    let lines = splitLines(text.subarray(skip)).map((line) => ({ time: stamp(times, from + skip + line.at), line: line.text }))
    if (isMatch !== undefined) lines = lines.filter((line) => isMatch(line.line))
    if (lines.length >= wanted || from <= sinceOffset) {
      const older =
        existsSync(`${file}.1`) && since === undefined && lines.length < wanted
          ? readKept(`${file}.1`, { stream: 'all', ...(isMatch === undefined ? {} : { isMatch }) }).lines
          : []
      // What was cut off is older than what is here, whenever its copy was written.
      const before = lines[0]?.time ?? Number.POSITIVE_INFINITY
      const all = [...older.map((line) => ({ ...line, time: Math.min(line.time, before) })), ...lines]
      return { lines: wanted === 0 ? [] : all.slice(-Math.min(wanted, all.length) || all.length), end }
    }
    windowBytes *= 4
  }
}

/** Time of the byte at `offset`: the first note taken when the file was already longer. */
function stamp(times: readonly { time: number; size: number }[], offset: number): number {
  let low = 0
  let high = times.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if ((times[middle]?.size ?? 0) > offset) high = middle
    else low = middle + 1
  }
  return times[low]?.time ?? 0
}

function splitLines(text: Buffer): { at: number; text: string }[] {
  const lines: { at: number; text: string }[] = []
  for (let at = 0; at < text.length;) {
    const found = text.indexOf(0x0a, at)
    const end = found === -1 ? text.length : found
    lines.push({ at, text: text.toString('utf8', at, end) })
    at = end + 1
  }
  return lines
}

function readText(file: string, from: number, to = sizeOf(file)): { text: Buffer; end: number } {
  if (to <= from) return { text: Buffer.alloc(0), end: to }
  const parts: Buffer[] = []
  const fd = openSync(file, 'r')
  try {
    for (let at = from; at < to;) {
      const part = Buffer.alloc(Math.min(CHUNK_BYTES, to - at))
      const got = readSync(fd, part, 0, part.length, at)
      if (got === 0) break
      parts.push(part.subarray(0, got))
      at += got
    }
  } finally {
    closeSync(fd)
  }
  return { text: Buffer.concat(parts), end: to }
}

/** ms since the epoch of the last write; 0: never */
function writtenAt(file: string): number {
  return Math.round(statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0)
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size
  } catch {
    return 0
  }
}
