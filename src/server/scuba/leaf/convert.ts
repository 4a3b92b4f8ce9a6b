import { readFile, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MusterError, refuse } from '../../../core/kernel/errors.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import { quoteText } from '../../../core/scuba/names.ts'
import type { Engine } from './engine.ts'
import type { Store } from './store.ts'

/** Content types of bodies that the engine makes NDJSON of, and what reads them. */
const READERS: Record<string, { end: string; read: (path: string) => string }> = {
  'text/csv': { end: 'csv', read: (path) => `read_csv(${path}, header=true, sample_size=-1)` },
  'application/vnd.apache.parquet': { end: 'parquet', read: (path) => `read_parquet(${path})` },
}

let files = 0

/** Whether rows of that content type are to be converted first. */
export const isConvertible = (contentType: string): boolean => contentType in READERS

/**
 * The rows of a CSV text (its first line names the columns) or a Parquet file as NDJSON.
 * @throws SCUBA_ROWS_INVALID when it is neither, SCUBA_TOO_LARGE when its rows are more than a body may hold
 */
export async function toNdjson(store: Store, engine: Engine, contentType: string, body: Buffer): Promise<Buffer> {
  const reader = READERS[contentType]
  if (!reader) throw refuse('SCUBA_ROWS_INVALID', `rows of type ${contentType} are not known`)
  const path = join(store.dir, 'tmp', `body-${process.pid}-${(files += 1)}.${reader.end}`)
  const made = `${path}.ndjson`
  try {
    await writeFile(path, body, { mode: 0o600 })
    await engine.export(`COPY (SELECT * FROM ${reader.read(quoteText(path))}) TO ${quoteText(made)} (FORMAT json)`)
    const { size } = await stat(made)
    if (size > LIMITS.inflatedBytesMax) throw refuse('SCUBA_TOO_LARGE', `the rows are ${size} bytes as NDJSON, more than 256 MiB`)
    return await readFile(made)
  } catch (error) {
    if (error instanceof MusterError && error.code === 'SCUBA_SQL')
      throw refuse('SCUBA_ROWS_INVALID', `the body is no ${reader.end.toUpperCase()}: ${error.message}`, { cause: error })
    throw error
  } finally {
    await unlink(path).catch(() => undefined)
    await unlink(made).catch(() => undefined)
  }
}
