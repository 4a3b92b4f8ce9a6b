import { readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { MusterError } from '../../../core/kernel/errors.ts'

/** Of a log that does not begin at 1, because a snapshot holds what would come before: its first position. */
const NAME = 'first'

/** 1 for a log that began empty. Throws FILE_UNREADABLE. */
export function readFirstPosition(dir: string): number {
  const file = join(dir, NAME)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 1
    throw error
  }
  if (!/^[1-9]\d{0,15}\n$/.test(text)) throw new MusterError('FILE_UNREADABLE', `${file} does not say where the log begins`)
  return Number(text)
}

export async function writeFirstPosition(dir: string, position: number): Promise<void> {
  const handle = await open(join(dir, NAME), 'w', 0o600)
  try {
    await handle.writeFile(`${position}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
