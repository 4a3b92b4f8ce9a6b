import { readFileSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { MusterError } from '../../../core/kernel/errors.ts'
import { syncDirectory } from '../../../platform/files.ts'

const settingsSchema = z.object({
  format: z.literal(1),
  /** absolute; all servers of all clusters may write into the same */
  to: z.string(),
  everyMs: z.number().int().min(1),
  /** a manifest was written there: if it is there no longer, the folder is not the one that was meant */
  hasBegun: z.boolean(),
})
export type ArchiveSettings = Omit<z.output<typeof settingsSchema>, 'format'>

const NAME = 'archive.json'

/** Where this server archives its log; null: nowhere. Throws FILE_UNREADABLE: a server that forgot it would trim what is not archived. */
export function readArchiveSettings(dataDir: string): ArchiveSettings | null {
  const file = join(dataDir, NAME)
  try {
    const { format: _, ...settings } = settingsSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
    return settings
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new MusterError('FILE_UNREADABLE', `${file} does not say where the log is archived`, { cause: error })
  }
}

/** Null: nowhere from now on. Resolves once it is on the disk. */
export async function writeArchiveSettings(dataDir: string, settings: ArchiveSettings | null): Promise<void> {
  const file = join(dataDir, NAME)
  if (settings === null) await rm(file, { force: true })
  else {
    const handle = await open(`${file}.new`, 'w', 0o600)
    try {
      await handle.writeFile(`${JSON.stringify({ format: 1, ...settings })}\n`)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(`${file}.new`, file)
  }
  await syncDirectory(dataDir)
}
