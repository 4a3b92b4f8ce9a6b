import { open, type FileHandle } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { crc32 } from 'node:zlib'

const POLL_MS = 200
const PIECE_BYTES = 1024 * 1024
/** A first line is known by so many of its bytes. */
const HEAD_BYTES = 256

/**
 * Reads a file and goes on with what is appended to it; when another takes its name (a log that is rotated) or it is cut, the rest of
 * the old one comes first and then the new one from its beginning. A file that is not there, or has no whole line yet, is waited for.
 * Gives null when there is nothing more at the moment. Ends with the signal.
 * @param from asked where to begin before a file is read; it is known, also after it was renamed, by its inode and the checksum of its first line
 */
export async function* followFile(
  path: string,
  from: (file: string) => Promise<number>,
  signal: AbortSignal,
): AsyncGenerator<Buffer | null> {
  while (!signal.aborted) {
    const handle = await openIfThere(path)
    const file = handle === null ? null : await identity(handle)
    if (handle === null || file === null) {
      await handle?.close()
      yield null
      await pause(signal)
      continue
    }
    try {
      yield* followOne(path, handle, file, await from(file), signal)
    } finally {
      await handle.close()
    }
  }
}

/** Until it is cut, or another file has its name and all of it was read. */
async function* followOne(
  path: string,
  handle: FileHandle,
  file: string,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer | null> {
  let offset = from
  while (!signal.aborted) {
    const { size, ino } = await handle.stat()
    if (size < offset) return
    if (size > offset) {
      const bytes = Buffer.alloc(Math.min(PIECE_BYTES, size - offset))
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, offset)
      yield bytes.subarray(0, bytesRead)
      offset += bytesRead
      continue
    }
    yield null
    const isReplaced = await inodeOf(path).then((inode) => inode !== null && inode !== ino)
    // Written between the last look and the renaming.
    if (isReplaced && (await handle.stat()).size === offset) return
    // Cut and written to anew beyond where it was: its first line tells.
    if ((await identity(handle)) !== file) return
    await pause(signal)
  }
}

async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

async function inodeOf(path: string): Promise<number | null> {
  const handle = await openIfThere(path)
  if (handle === null) return null
  try {
    return (await handle.stat()).ino
  } finally {
    await handle.close()
  }
}

/** Null while it has no whole line. */
async function identity(handle: FileHandle): Promise<string | null> {
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
  const end = buffer.subarray(0, bytesRead).indexOf(10)
  if (end < 0 && bytesRead < HEAD_BYTES) return null
  const head = buffer.subarray(0, end < 0 ? HEAD_BYTES : end)
  return `${(await handle.stat()).ino.toString(36)}-${crc32(head).toString(36)}`
}

const pause = (signal: AbortSignal): Promise<void> => sleep(POLL_MS, undefined, { signal }).catch(() => undefined)
