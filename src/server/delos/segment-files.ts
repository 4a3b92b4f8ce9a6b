import { readdir, rename, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { positionOfName } from '../../core/delos/log/segment.ts'
import { closeFile, DURABLE, openFile, syncData, writeAll } from './disk.ts'

/** The next segment file, already full of zeros on disk: appending to it then changes no metadata (half the latency). */
const PREPARED = 'next.prepared'
const UNFINISHED = 'next.tmp'
const ZEROS = new Uint8Array(1024 * 1024)

/** First positions of the segment files in a directory, ascending. */
export async function listSegments(dir: string): Promise<number[]> {
  const names = await readdir(dir)
  return names.flatMap((name) => positionOfName(name) ?? []).sort((a, b) => a - b)
}

/** Removes the spare and what an interrupted preparation left. */
export async function dropPrepared(dir: string): Promise<void> {
  await rm(join(dir, UNFINISHED), { force: true })
  await rm(join(dir, PREPARED), { force: true })
}

/** How a spare is made. May be changed while that goes on. */
export interface Pace {
  /** somebody waits for it: it takes the disk as fast as that goes */
  isHurried: boolean
  /** nobody wants it any more */
  isGivenUp: boolean
}

export const paceOf = (isHurried: boolean): Pace => ({ isHurried, isGivenUp: false })

/** Of a spare that nobody waits for yet, what is written at once: other logs on this disk wait behind it for as long. */
const SLICE_BYTES = 1024 * 1024
/** The disk is others' for so many times as long as a slice took. */
const PAUSE_TIMES = 1
/** After so long it is hurried: on a disk that is busy all the time it would not be there when it is needed. */
const PATIENCE_MS = 4000

/**
 * Makes the spare file: `sizeBytes` of zeros, synced; in slices with pauses between them, unless it is hurried.
 * @returns it, open for durable writing. It stays a spare until {@link adoptPrepared}. Rejects with the file system's error, leaving nothing behind.
 */
export async function prepareSegment(dir: string, sizeBytes: number, pace: Pace): Promise<number> {
  await dropPrepared(dir)
  await assertRoom(dir, sizeBytes)
  const path = join(dir, UNFINISHED)
  const begunAt = performance.now()
  const fd = await openFile(path, 'wx')
  try {
    for (let at = 0; at < sizeBytes;) {
      if (pace.isGivenUp) throw new Error('the log is closed')
      const size = Math.min(pace.isHurried ? ZEROS.length : SLICE_BYTES, sizeBytes - at)
      const startedAt = performance.now()
      await writeAll(fd, ZEROS.subarray(0, size), at)
      at += size
      if (pace.isHurried) continue
      await syncData(fd)
      await setTimeout((performance.now() - startedAt) * PAUSE_TIMES)
      if (performance.now() - begunAt > PATIENCE_MS) pace.isHurried = true
    }
    await syncData(fd)
  } catch (error) {
    await closeFile(fd)
    await dropPrepared(dir)
    throw error
  }
  await closeFile(fd)
  await rename(path, join(dir, PREPARED))
  return openFile(join(dir, PREPARED), DURABLE)
}

/** Looks before writing: filling a disk to its last byte, to find that it is full, would hurt everybody else on it. */
async function assertRoom(dir: string, sizeBytes: number): Promise<void> {
  const { bavail, bsize, blocks } = await statfs(dir)
  // Some file systems do not say.
  if (blocks > 0 && bavail * bsize < sizeBytes) {
    throw Object.assign(new Error(`ENOSPC: ${sizeBytes} bytes are wanted, ${bavail * bsize} are free`), { code: 'ENOSPC' })
  }
}

/** Gives the spare its name; durable after a `syncDirectory`. */
export function adoptPrepared(dir: string, name: string): Promise<void> {
  return rename(join(dir, PREPARED), join(dir, name))
}
