import { readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { SEGMENT_HEADER_BYTES, positionOfName } from '../../core/delos/log/segment.ts'
import { closeFile, openFile, syncData, syncDirectory, writeAll } from './disk.ts'

/** The next segment file, already full of zeros on disk: appending to it then changes no metadata (half the latency). */
const PREPARED = 'next.prepared'
const UNFINISHED = 'next.tmp'
const ZEROS = new Uint8Array(1024 * 1024)

/** First positions of the segment files in a directory, ascending. */
export async function listSegments(dir: string): Promise<number[]> {
  const names = await readdir(dir)
  return names.flatMap((name) => positionOfName(name) ?? []).sort((a, b) => a - b)
}

async function removeSpares(dir: string): Promise<void> {
  await rm(join(dir, UNFINISHED), { force: true })
  await rm(join(dir, PREPARED), { force: true })
}

/**
 * Makes the spare file: `sizeBytes` of zeros, synced. Rejects with the file system's error, leaving nothing behind.
 */
export async function prepareSegment(dir: string, sizeBytes: number): Promise<void> {
  await removeSpares(dir)
  const path = join(dir, UNFINISHED)
  const fd = await openFile(path, 'wx')
  try {
    for (let at = 0; at < sizeBytes; at += ZEROS.length) {
      await writeAll(fd, ZEROS.subarray(0, Math.min(ZEROS.length, sizeBytes - at)), at)
    }
    await syncData(fd)
  } catch (error) {
    await closeFile(fd)
    await removeSpares(dir)
    throw error
  }
  await closeFile(fd)
  await rename(path, join(dir, PREPARED))
}

/** Opens the spare for writing; it stays a spare until {@link adoptPrepared}. */
export function openPrepared(dir: string): Promise<number> {
  return openFile(join(dir, PREPARED), 'r+')
}

/** Gives the spare its name, durably. */
export async function adoptPrepared(dir: string, name: string): Promise<void> {
  await rename(join(dir, PREPARED), join(dir, name))
  await syncDirectory(dir)
}

export async function dropPrepared(dir: string): Promise<void> {
  await removeSpares(dir)
}

/** Whether a spare of the right size from an earlier run is there that nothing was written to. Anything else is removed. */
export async function hasCleanSpare(dir: string, sizeBytes: number): Promise<boolean> {
  await rm(join(dir, UNFINISHED), { force: true })
  const path = join(dir, PREPARED)
  const found = await stat(path).catch(() => null)
  if (found === null) return false
  if (found.size === sizeBytes) {
    const { readFileSync } = await import('node:fs')
    const start = readFileSync(path).subarray(0, SEGMENT_HEADER_BYTES)
    if (start.every((byte) => byte === 0)) return true
  }
  await rm(path, { force: true })
  return false
}
