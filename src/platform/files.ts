import { closeSync, createReadStream, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Gives a file new content by rename, so that a reader sees the old or the new and never half; for its owner alone. Not
 * synced: what must outlive the machine's power is written with fsync where it is written.
 */
export function replaceFile(file: string, content: string): void {
  // Named by the process: two that write at the same moment must not rename each other's file away.
  const made = `${file}.${process.pid}.new`
  writeFileSync(made, content, { mode: 0o600 })
  renameSync(made, file)
}

/** The same, and on the disk when it returns: what is lost with the machine's power could not be made again. */
export function replaceFileDurably(file: string, content: string): void {
  const made = `${file}.${process.pid}.new`
  withFile(made, 'w', (fd) => {
    writeFileSync(fd, content)
    fsyncSync(fd)
  })
  renameSync(made, file)
  withFile(dirname(file), 'r', fsyncSync)
}

function withFile(file: string, flags: string, work: (fd: number) => void): void {
  const fd = openSync(file, flags, 0o600)
  try {
    work(fd)
  } finally {
    closeSync(fd)
  }
}

/** SHA-256 of a file, in hex. */
export async function fileSha256(file: string): Promise<string> {
  // Loaded when needed: the crypto module alone would be a third of what a read command may cost.
  const hash = process.getBuiltinModule('node:crypto').createHash('sha256')
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** Makes names in a directory durable: after creating, renaming or removing files in it. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r')
  await handle.sync().finally(() => handle.close())
}

/**
 * Writes a large file; whole and on the disk before its name is there.
 * @param temporary its name until then, on the same file system
 */
export async function writeDurably(file: string, bytes: Uint8Array, temporary: string): Promise<void> {
  const handle = await open(temporary, 'w', 0o600)
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(temporary, file)
  await syncDirectory(dirname(file))
}

/** Whether an error says that there is no room, as opposed to a broken disk. */
export function isDiskFull(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | null)?.code
  return code === 'ENOSPC' || code === 'EDQUOT'
}
