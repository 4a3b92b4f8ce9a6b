import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Why a file system of a given size cannot be had here, or null: it can. */
export const tinyDiskMissing: string | null = process.getuid?.() === 0 && canMount() ? null : 'needs root and the right to mount a tmpfs'

function canMount(): boolean {
  const dir = mkdtempSync(join(tmpdir(), 'muster-mount-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', dir], { stdio: 'ignore' })
    execFileSync('umount', [dir], { stdio: 'ignore' })
    return true
  } catch {
    return false
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Runs `use` on a real file system of this size, and takes it away again. */
export async function withTinyDisk(sizeBytes: number, use: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'muster-tiny-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', dir])
  try {
    await use(dir)
  } finally {
    execFileSync('umount', ['-l', dir])
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Puts a real file system of this size at `dir`; gives what takes it away again. */
export function mountTinyDisk(dir: string, sizeBytes: number): () => void {
  mkdirSync(dir, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', dir])
  return () => execFileSync('umount', ['-l', dir])
}

/** Fills the disk of `dir` so that `freeBytes` are left; gives what takes that away again. */
export function fillDisk(dir: string, freeBytes: number): () => void {
  const { bavail, bsize } = statfsSync(dir)
  const ballast = join(dir, 'ballast')
  const fd = openSync(ballast, 'w')
  const part = new Uint8Array(1024 * 1024)
  for (let left = bavail * bsize - freeBytes; left > 0; left -= part.length) writeSync(fd, part, 0, Math.min(left, part.length))
  closeSync(fd)
  return () => rmSync(ballast)
}
