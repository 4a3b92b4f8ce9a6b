import { readFileSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32c } from '../../../core/delos/log/crc32c.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { syncDirectory } from '../../../platform/files.ts'

/** Where a journal begins that was trimmed, or that a snapshot took the place of. */
export interface JournalBase {
  /** everything up to this slot is chosen and not needed here any more */
  slot: number
  /** of the first entry after it */
  position: number
  /** the first place of the journal's own log that is still needed */
  place: number
}

export const NO_BASE = (firstPosition: number): JournalBase => ({ slot: 0, position: firstPosition, place: 1 })

const NAME = 'base'
const FORMAT = 1

/** Null: never written. Throws DELOS_LOG_CORRUPT when it cannot be read, STATE_NEWER when a newer program wrote it. */
export function readBase(dir: string): JournalBase | null {
  const file = join(dir, NAME)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  const [, body = '', crc = ''] = /^(\{[^\n]*\})\n([0-9a-f]{8})\n$/.exec(text) ?? []
  if (body === '' || Number.parseInt(crc, 16) !== crc32c(Buffer.from(body)))
    throw new MusterError('DELOS_LOG_CORRUPT', `${file}, which says where the log begins, is damaged`, {
      hint: 'Start this server with an empty data directory: it gets everything from the others.',
    })
  const { format, ...base } = JSON.parse(body) as JournalBase & { format: number }
  if (format !== FORMAT) throw new MusterError('STATE_NEWER', `${file} has format ${format}, this program knows ${FORMAT}`)
  return base
}

/** Resolves once it is on the disk; whenever it is cut off, the old one or the new one is there. */
export async function writeBase(dir: string, base: JournalBase): Promise<void> {
  const file = join(dir, NAME)
  const body = JSON.stringify({ format: FORMAT, ...base })
  const handle = await open(`${file}.new`, 'w', 0o600)
  try {
    await handle.writeFile(`${body}\n${crc32c(Buffer.from(body)).toString(16).padStart(8, '0')}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(`${file}.new`, file)
  await syncDirectory(dir)
}
