import { rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { quoteName, quoteText } from '../../../../core/scuba/names.ts'
import { codedSql, withoutCodes } from '../../../../core/scuba/plan/codes.ts'
import { viewSql } from '../../../../core/scuba/plan/view.ts'
import type { Artefact, ArtefactSpec, NativeSpec } from '../../../../core/scuba/warm/artefact.ts'
import { bloomSql, encodeBloom } from '../../../../core/scuba/warm/bloom.ts'
import { rollupSql } from '../../../../core/scuba/warm/rollup.ts'
import type { Segment } from '../../../../core/scuba/wal/manifest.ts'
import { fileSha256 } from '../../../../platform/files.ts'
import type { Engines } from '../engines.ts'
import type { Store } from '../store.ts'

/** A rollup with more groups than this share of the rows saves too little. */
const GROUPS_SHARE_MAX = 0.25
/** a column with fewer different values in a stretch is in all of them */
const DISTINCT_MIN = 1000
const DEADLINE_MS = 60_000

let files = 0

/**
 * Builds one artefact of one segment; `useless`: this kind of it would help none of the table's segments; `notCopied`: columns that a
 * native copy of the table is better without.
 */
export async function build(
  store: Store,
  engines: Engines,
  dir: string,
  segment: Segment,
  spec: ArtefactSpec,
): Promise<Artefact | 'useless' | { notCopied: string[] }> {
  const started = performance.now()
  const file = `${segment.file}-${spec.kind}-${Date.now().toString(36)}-${(files += 1)}`
  const path = join(dir, file)
  if (spec.kind === 'native') {
    const notCopied = await buildNative(store, engines, segment, spec, path)
    if (notCopied.length > 0) return { notCopied }
  }
  const rows =
    spec.kind === 'native'
      ? segment.rows
      : spec.kind === 'bloom'
        ? await buildBloom(store, engines, segment, spec.column, path)
        : await buildRollup(store, engines, segment, spec, path)
  if (rows === null) {
    store.discard([path])
    return 'useless'
  }
  const { size } = await stat(path)
  const sha256 = spec.kind === 'native' ? { sha256: await fileSha256(path) } : {}
  const buildMs = Math.round(performance.now() - started)
  store.log.info('artefact built', { segment: segment.file, kind: spec.kind, bytes: size, ms: buildMs })
  return { file, table: segment.table, segment: segment.file, spec, bytes: size, ...sha256, rows, builtAtMs: Date.now(), buildMs }
}

/** Under another name until it is whole; what is left of that is removed at the next start. @returns columns that are none the better */
async function buildNative(store: Store, engines: Engines, segment: Segment, { columns }: NativeSpec, path: string): Promise<string[]> {
  const temporary = `${path}.part`
  try {
    const retyped = store.registry.current.tables[segment.table]?.retyped ?? []
    const changed = Object.keys(columns).filter((name) => retyped.includes(name))
    if (changed.length > 0) return changed
    const own = withoutCodes(columns)
    // The segment may have none of the codes.
    const coded = codedSql(viewSql({ columns: own, files: [store.viewFile(segment)] }).sql, own)
    const names = Object.keys(columns).filter((name) => name in own || coded.codes.includes(name))
    if (names.length < Object.keys(columns).length) return Object.keys(columns).filter((name) => !names.includes(name))
    const { rows, manyValued } = await engines.first.makeCopy(`SELECT ${names.map(quoteName).join(', ')} FROM (${coded.sql})`, temporary)
    if (rows !== segment.rows) throw new Error(`${rows} rows were copied of ${segment.rows}`)
    if (manyValued.length === 0) await rename(temporary, path)
    return manyValued
  } finally {
    store.discard([temporary, `${temporary}.wal`])
  }
}

async function buildBloom(store: Store, engines: Engines, segment: Segment, column: string, path: string): Promise<number | null> {
  const sql = bloomSql(store.segmentPath(segment.file), column)
  const { rows } = await engines.run({ sql, views: [], params: {}, deadlineMs: DEADLINE_MS })
  const stretches = rows.map(([minUs, maxUs, distinct, ...fields]) => ({
    minUs: Number(minUs),
    maxUs: Number(maxUs),
    distinct: Number(distinct),
    fields: fields.map(String),
  }))
  if (stretches.some(({ distinct }) => distinct < DISTINCT_MIN) && segment.rows > 100 * DISTINCT_MIN) return null
  await writeFile(path, encodeBloom(stretches), { mode: 0o600 })
  return segment.rows
}

/** Longest time to count the rows of a file. */
const COUNT_MS = 10_000

async function buildRollup(
  store: Store,
  engines: Engines,
  segment: Segment,
  spec: Extract<ArtefactSpec, { kind: 'rollup' }>,
  path: string,
): Promise<number | null> {
  const columns = store.tail(segment.table).columns.toJSON()
  const retyped = store.registry.current.tables[segment.table]?.retyped ?? []
  const view = viewSql({ columns, files: [store.viewFile(segment)], retyped }).sql
  const from = `SELECT ${['time', ...Object.keys(spec.types).filter((name) => name !== 'time')].map(quoteName).join(', ')} FROM (${view})`
  await engines.first.export(
    `COPY (${rollupSql(spec, from)}) TO ${quoteText(path)} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)`,
  )
  const counted = await engines.first.run({
    ...{ sql: `SELECT count(*) FROM read_parquet(${quoteText(path)})`, views: [], params: {}, deadlineMs: COUNT_MS },
  })
  const groups = Number(counted.rows[0]?.[0] ?? 0)
  return groups > GROUPS_SHARE_MAX * segment.rows ? null : groups
}
