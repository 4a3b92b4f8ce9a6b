import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
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
