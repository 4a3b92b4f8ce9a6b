import { readdir, rename, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
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

/**
 * Makes the spare file: `sizeBytes` of zeros, synced. Rejects with the file system's error, leaving nothing behind.
 */
export async function prepareSegment(dir: string, sizeBytes: number): Promise<void> {
  await dropPrepared(dir)
  await assertRoom(dir, sizeBytes)
  const path = join(dir, UNFINISHED)
  const fd = await openFile(path, 'wx')
  try {
    for (let at = 0; at < sizeBytes; at += ZEROS.length) {
      await writeAll(fd, ZEROS.subarray(0, Math.min(ZEROS.length, sizeBytes - at)), at)
    }
    await syncData(fd)
  } catch (error) {
    await closeFile(fd)
    await dropPrepared(dir)
    throw error
  }
  await closeFile(fd)
  await rename(path, join(dir, PREPARED))
}

/** Looks before writing: filling a disk to its last byte, to find that it is full, would hurt everybody else on it. */
async function assertRoom(dir: string, sizeBytes: number): Promise<void> {
  const { bavail, bsize, blocks } = await statfs(dir)
  // Some file systems do not say.
  if (blocks > 0 && bavail * bsize < sizeBytes) {
    throw Object.assign(new Error(`ENOSPC: ${sizeBytes} bytes are wanted, ${bavail * bsize} are free`), { code: 'ENOSPC' })
  }
}

/** Opens the spare for durable writing; it stays a spare until {@link adoptPrepared}. */
export function openPrepared(dir: string): Promise<number> {
  return openFile(join(dir, PREPARED), DURABLE)
}

/** Gives the spare its name; durable after a `syncDirectory`. */
export function adoptPrepared(dir: string, name: string): Promise<void> {
  return rename(join(dir, PREPARED), join(dir, name))
}
