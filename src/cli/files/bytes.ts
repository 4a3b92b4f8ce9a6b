import { readFileSync } from 'node:fs'
import { MusterError } from '../../core/kernel/errors.ts'

/** The bytes of a file, `-` being standard input. @throws MusterError FILE_UNREADABLE */
export function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path === '-' ? 0 : path)
  } catch (cause) {
    throw new MusterError(
      'FILE_UNREADABLE',
      `${path}: ${(cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (cause as Error).message}`,
      { cause },
    )
  }
}
