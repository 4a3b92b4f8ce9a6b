import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { StatePaths } from '../../../platform/paths.ts'

/** The secret in a file, without its line end. Rejects when the file cannot be read. */
export async function secretFrom(file: string): Promise<string> {
  return (await readFile(file, 'utf8')).trim()
}

/** The key webhooks are signed with when the on-call file names none: made once, kept in `keys/` (0600). */
export async function webhookSecret(paths: StatePaths): Promise<string> {
  const file = join(paths.keys, 'sev-webhook.secret')
  try {
    return await secretFrom(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  await mkdir(paths.keys, { recursive: true, mode: 0o700 })
  try {
    await writeFile(file, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    // Two first deliveries at once: the other one has just made it.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return secretFrom(file)
}
