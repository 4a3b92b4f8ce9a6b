import { readFile, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { quoteName, quoteText } from '../../../core/scuba/names.ts'
import { viewSql } from '../../../core/scuba/plan/view.ts'
import { readTables } from '../leaf/reading.ts'
import { hasTable, inWordsOf, type Answering } from './own-partials.ts'
import { tooLarge } from './ship.ts'
import type { RowsHead, RowsRequest } from './wire.ts'

let files = 0

/** Answers `POST …/rows`: rows of one table, filtered and with the columns that are wanted, as a Parquet file. */
export async function ownRows({ store, engines, held }: Answering, asked: RowsRequest): Promise<{ head: RowsHead; body: Buffer }> {
  const { table: name, view, columns, where, equal, copy } = asked
  const reading = copy ? await held.read(copy, name, asked) : await readTables(store, hasTable(store, name) ? [name] : [], asked)
  const { coverage, rowsScanned } = reading
  const path = join(store.dir, 'tmp', `rows-${process.pid}-${(files += 1)}.parquet`)
  try {
    const own = reading.tables[0]
    const none = { head: { coverage, rowsScanned, rows: 0, minUs: 0, maxUs: 0 }, body: Buffer.alloc(0) }
    if (!own || own.files.length === 0) return none
    const conditions = [
      ...(where === null ? [] : [`(${where}\n)`]),
      ...equal.map(({ column, value }) => `${quoteName(column)} = ${quoteText(value)}`),
    ]
    if (conditions.length === 0 && rowsScanned > store.bounds.travelRowsMax) throw tooLarge(store.bounds)
    const { sql } = viewSql(inWordsOf(view, own).view)
    const select = `SELECT ${columns.map(quoteName).join(', ')} FROM (${sql}) AS ${quoteName(name)}${conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`}`
    const { rows, minUs, maxUs } = await engines.idlest.copy(
      `COPY (${select}) TO ${quoteText(path)} (FORMAT parquet, COMPRESSION zstd)`,
      path,
    )
    if (rows === 0) return none
    const { travelRowsMax, travelBytesMax } = store.bounds
    if (rows > travelRowsMax || (await stat(path)).size > travelBytesMax) throw tooLarge(store.bounds)
    return { head: { coverage, rowsScanned, rows, minUs, maxUs }, body: await readFile(path) }
  } finally {
    reading.end()
    void unlink(path).catch(() => undefined)
  }
}
