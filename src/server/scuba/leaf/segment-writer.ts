import { open, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { codedSql } from '../../../core/scuba/plan/codes.ts'
import { sealedSql } from '../../../core/scuba/plan/collapse.ts'
import { quoteText } from '../../../core/scuba/names.ts'
import type { ColumnTypes } from '../../../core/scuba/rows/columns.ts'
import type { Segment } from '../../../core/scuba/wal/manifest.ts'
import { fileSha256, syncDirectory } from '../../../platform/files.ts'
import type { Engine } from './engine.ts'
import type { Store } from './store.ts'

/**
 * Level 3 costs a quarter more and makes nothing smaller; version 2 of the format writes a tenth faster than version 1, and
 * numbers and ids in 5 % less.
 */
export const SEGMENT_FORMAT = 'FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, COMPRESSION_LEVEL 1'

let files = 0

export interface NewSegment {
  table: string
  /** SELECT that gives its rows */
  select: string
  /** codes that it gives with its rows (`plan/codes.ts`); without: they are made */
  codes?: readonly string[]
  /** types of its columns */
  columns: ColumnTypes
  /** rows of a row group; without: the engine's 122,880 */
  groupRows?: number
  /** what stands behind ORDER BY; null: as the rows come */
  order: string | null
  /** what it is made from */
  from: readonly { rows: number }[]
  /** whether rows may be fewer than those it is made from; an empty segment is not kept then */
  mayShrink?: boolean
  thinned?: number
}

/**
 * Writes a segment's file; it is whole, synced and checked before its name is there. It counts once a manifest record says so.
 * @returns null when it would be empty and may be
 */
export async function writeSegment(store: Store, engine: Engine, segment: NewSegment): Promise<Segment | null> {
  const { table, order, from, thinned } = segment
  const { sql: select, mayShrink } = sealedSql(table, store.tail(table).columns.exact('series') !== undefined, segment.select)
  const rows = from.reduce((sum, part) => sum + part.rows, 0)
  const file = `${table}-${Date.now().toString(36)}-${process.pid.toString(36)}-${(files += 1)}.parquet`
  const temporary = join(store.dir, 'tmp', file)
  try {
    const retyped = store.registry.current.tables[table]?.retyped
    const coded = segment.codes === undefined ? codedSql(select, segment.columns, retyped) : { sql: select, codes: segment.codes }
    const ordered = order === null ? coded.sql : `SELECT * FROM (${coded.sql}) ORDER BY ${order}`
    const format = segment.groupRows === undefined ? SEGMENT_FORMAT : `${SEGMENT_FORMAT}, ROW_GROUP_SIZE ${segment.groupRows}`
    const { rows: written, minUs, maxUs } = await engine.copy(`COPY (${ordered}) TO ${quoteText(temporary)} (${format})`, temporary)
    if (mayShrink || segment.mayShrink === true ? written > rows : written !== rows)
      throw new Error(`the engine wrote ${written} rows of ${rows} of table ${table}`)
    if (written === 0) {
      await unlink(temporary)
      return null
    }
    const handle = await open(temporary, 'r')
    await handle.sync().finally(() => handle.close())
    const sha256 = await fileSha256(temporary)
    const { size } = await stat(temporary)
    await rename(temporary, store.segmentPath(file))
    await syncDirectory(join(store.dir, 'segments'))
    return {
      file,
      table,
      rows: written,
      bytes: size,
      sha256,
      minUs,
      maxUs,
      codes: coded.codes,
      ...(thinned === undefined ? {} : { thinned }),
    }
  } catch (error) {
    await unlink(temporary).catch(() => undefined)
    throw error
  }
}
