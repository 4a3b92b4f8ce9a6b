import fs from 'node:fs'
import { MusterError } from '../../core/kernel/errors.ts'

/** The few calls the log makes to the file system, as promises over file descriptors: one per batch, none per entry. */

/** Opened so, a write returns when what it wrote is on the disk (open(2), O_DSYNC): a write and its fdatasync in one call and one trip to a thread. */
export const DURABLE = fs.constants.O_RDWR | fs.constants.O_DSYNC

export function openFile(path: string, flags: string | number): Promise<number> {
  return new Promise((resolve, reject) => fs.open(path, flags, 0o600, (error, fd) => (error ? reject(error) : resolve(fd))))
}

export function closeFile(fd: number): Promise<void> {
  return new Promise((resolve, reject) => fs.close(fd, (error) => (error ? reject(error) : resolve())))
}

/** Writes all of it at `offset`; a write that the kernel cuts short is continued, which names the reason. */
export async function writeAll(fd: number, bytes: Uint8Array, offset: number): Promise<void> {
  let done = 0
  while (done < bytes.length) {
    done += await new Promise<number>((resolve, reject) =>
      fs.write(fd, bytes, done, bytes.length - done, offset + done, (error, written) => (error ? reject(error) : resolve(written))),
    )
  }
}

export function syncData(fd: number): Promise<void> {
  return new Promise((resolve, reject) => fs.fdatasync(fd, (error) => (error ? reject(error) : resolve())))
}

export function diskFull(path: string, cause: unknown): MusterError {
  return new MusterError('DISK_FULL', `No space left for the log in ${path}; nothing was appended.`, { cause })
}

export function diskFailed(path: string, cause: unknown): MusterError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new MusterError(
    'DELOS_DISK_FAILED',
    `Writing the log in ${path} failed (${reason}); what was in flight may or may not be on disk.`,
    { cause },
  )
}
