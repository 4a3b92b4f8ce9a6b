import { createReadStream, createWriteStream } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Transform, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { refuse } from '../../../core/kernel/errors.ts'
import { conditionSql, type ConditionScope } from '../../../core/scuba/clickhouse/condition.ts'
import { identifier, literal, SEG } from '../../../core/scuba/clickhouse/names.ts'
import { engineRows, partialQueries } from '../../../core/scuba/clickhouse/partials.ts'
import { placeName, placeOf, type Place } from '../../../core/scuba/clickhouse/place.ts'
import { matchesSql, thinnedSql, withoutSql } from '../../../core/scuba/clickhouse/rewrite.ts'
import { rowsSql, sealsSql, sizeSql, statsSql, type Seals } from '../../../core/scuba/clickhouse/rows.ts'
import {
  addColumnsSql,
  columnsSql,
  columnSql,
  createTableSql,
  exportHead,
  exportSql,
  insertSql,
  partitionOf,
  partitionsSql,
  type StoredColumns,
} from '../../../core/scuba/clickhouse/table.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import { partialsOf, type Partial } from '../../../core/scuba/merge/partial.ts'
import type { ViewFile } from '../../../core/scuba/plan/view.ts'
import type { ColumnTypes } from '../../../core/scuba/rows/columns.ts'
import type { Segment } from '../../../core/scuba/wal/manifest.ts'
import type { Logger } from '../../../platform/logger.ts'
import type { Engine } from '../leaf/engine.ts'
import type { Clip } from '../leaf/partial-cache.ts'
import type { Matching, PartialsAsked, Rewriting, RowsAsked, Sealing, SegmentStore } from '../leaf/segment-store.ts'
import { slowly, type Asking, type Connection } from './connection.ts'

/** Long enough for what is looked up beside a question. */
const LOOK_MS = 10_000
const SWEEP_MS = 3_600_000
const FIRST_SWEEP_MS = 600_000
/** A table that says whose database it is. */
const OWNER = 'muster_leaf'

let files = 0

/** A leaf's sealed rows in a ClickHouse database, which is that leaf's alone. */
export class ClickHouseStore implements SegmentStore {
  readonly #connection: Connection
  readonly #engine: Engine
  readonly #dir: string
  readonly #leaf: string
  readonly #log: Logger
  /** table → its columns there */
  readonly #columns = new Map<string, StoredColumns>()
  #isOurs = false
  #isBusy = false
  #lastSeg = 0
  /** places that are written and that the manifest does not name yet */
  readonly #underWay = new Set<string>()
  /** first ten minutes after the start: what it finds then is of no seal under way */
  #sweptAtMs = performance.now() - SWEEP_MS + FIRST_SWEEP_MS

  /**
   * @param engine writes out what is to be sealed
   * @param dir the leaf's folder
   */
  constructor(connection: Connection, engine: Engine, dir: string, leaf: string, log: Logger) {
    this.#connection = connection
    this.#engine = engine
    this.#dir = dir
    this.#leaf = leaf
    this.#log = log
  }

  get where(): string {
    return this.#connection.where
  }

  get away(): string | null {
    return this.#connection.away
  }

  /**
   * Looks whether it is there again, and now and then sweeps up what nothing names. Called each second.
   * @param isNamed whether the manifest has a segment of that name
   */
  async tick(isNamed: (file: string) => boolean): Promise<void> {
    if (this.#isBusy) return
    this.#isBusy = true
    try {
      const before = this.away
      if (before !== null && (await this.#connection.look())) {
        // It may be another one than before.
        this.#columns.clear()
        this.#isOurs = false
        this.#log.info('ClickHouse answers again', { where: this.where })
      }
      if (this.away !== null || performance.now() - this.#sweptAtMs < SWEEP_MS) return
      this.#sweptAtMs = performance.now()
      const count = await this.sweep(isNamed)
      if (count > 0) this.#log.info('seals that nothing names were erased from ClickHouse', { count })
    } catch (error) {
      this.#log.warn('ClickHouse could not be swept; it is tried again', { error: String(error) })
    } finally {
      this.#isBusy = false
    }
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  async seal({ table, columns, select, rows: expected, mayShrink, note }: Sealing): Promise<Segment | null> {
    await this.#claim()
    const place: Place = { table, seg: this.#newSeg() }
    const path = join(this.#dir, 'tmp', `${table}-${place.seg}.native`)
    try {
      const head = exportHead(columns, await this.#ensureTable(table, columns))
      const rows = await this.#engine.native({ sql: exportSql(select, columns, place.seg), head, path })
      if (mayShrink ? rows > expected : rows !== expected) throw new Error(`the engine gave ${rows} rows of ${expected} of table ${table}`)
      if (rows === 0) return null
      await note(placeName(place), rows)
      await this.#connection.insert(insertSql(table, head), createReadStream(path, { highWaterMark: 1024 * 1024 }))
      const segment = await this.settle(table, placeName(place), rows)
      if (segment === null) throw new Error(`ClickHouse has not all of the ${rows} rows of ${placeName(place)}`)
      return segment
    } finally {
      await unlink(path).catch(() => undefined)
    }
  }

  async settle(table: string, file: string, rows: number): Promise<Segment | null> {
    const found = (await this.describe([file])).get(file)
    if (found?.rows !== rows) return null
    const bytes = await this.#bytesOf(file, rows)
    return { file, table, rows, bytes, sha256: '', minUs: found.minUs, maxUs: found.maxUs }
  }

  async partials({
    plan,
    list,
    registers,
    isPortable,
    types,
    sources,
    params,
    trees,
    ...asking
  }: PartialsAsked): Promise<Partial[] | null> {
    const [stored, ...more] = tablesOf(sources.flatMap(({ files: of }) => of.map(({ path }) => path)))
    // A table that was renamed has seals in more than one.
    if (stored === undefined || more.length > 0) return null
    if (!isPortable && list.sketches.some(({ kind }) => kind === 'distinct')) return null
    const existing = await this.#columnsOf(stored, asking)
    const scope = scopeOf(types, [], existing, params)
    const asked = {
      ...{ table: stored, plan, list, registers, types, existing },
      sources: sources.map(({ files: of, clip }) => sealsOf(of, clip)),
      condition: (text: string) => conditionSql(trees.get(text), scope),
    }
    const queries = partialQueries(asked)
    if (queries === null) return null
    const answers = await Promise.all(queries.groups.map((sql) => this.#connection.rows(sql, asking)))
    const counts = new Map<number, number>()
    if (queries.count !== null && isAnyFull(answers[0] ?? [], queries.groupsMax ?? 0)) {
      for (const [source, count] of await this.#connection.rows(queries.count, asking)) counts.set(Number(source), Number(count))
    }
    const rows = engineRows(asked, queries, answers, counts)
    const keys = plan.keep.kind === 'named' ? 1 : plan.by.length
    return partialsOf(rows, { sources: sources.length, keys, parts: plan.parts, sketches: plan.sketches })
  }

  async rows({ files: of, clip, columns, retyped, conditions, params, ...asking }: RowsAsked): Promise<ViewFile> {
    const path = join(this.#dir, 'tmp', `rows-${process.pid.toString(36)}-${(files += 1)}.ndjson`)
    const counted = { rows: 0, bytes: 0 }
    try {
      for (const table of tablesOf(of.map(({ path: name }) => name))) {
        const existing = await this.#columnsOf(table, asking)
        const scope = scopeOf(columns, retyped, existing, params)
        const where = conditions.map((node) => conditionSql(node, scope)).filter((sql) => sql !== null)
        const seals = sealsOf(
          of.filter(({ path: name }) => placeOf(name)?.table === table),
          clip,
        )
        const sql = rowsSql(table, columns, new Set(retyped), existing, seals, where)
        await this.#connection.lines(sql, asking, (stream) => keep(stream, path, counted))
      }
      if (counted.bytes === 0) await keep(null, path, counted)
      const bounds = { minUs: Math.min(...of.map(({ minUs }) => minUs)), maxUs: Math.max(...of.map(({ maxUs }) => maxUs)) }
      return { path, kind: 'chunk', rows: counted.rows, ...bounds }
    } catch (error) {
      await unlink(path).catch(() => undefined)
      throw error
    }
  }

  async matches(names: readonly string[], matching: Matching): Promise<Map<string, number> | null> {
    const found = new Map<string, number>()
    for (const table of tablesOf(names)) {
      const condition = await this.#conditionOf(table, matching)
      if (condition === null) return null
      for (const [seg, count] of await this.#connection.rows(matchesSql(table, segsOf(names, table), condition), slowly()))
        found.set(placeName({ table, seg: Number(seg) }), Number(count))
    }
    return found
  }

  async rewrite({ segment, columns, how, accept }: Rewriting): Promise<boolean> {
    const { file, table: name, thinned = 1 } = segment
    const { table, seg } = placeOf(file) ?? { table: name, seg: 0 }
    const condition = 'thinTo' in how ? null : await this.#conditionOf(table, how)
    if (!('thinTo' in how) && condition === null) return false
    const place: Place = { table, seg: this.#newSeg() }
    const after = placeName(place)
    // Until the manifest names it, it is not to be swept up.
    this.#underWay.add(after)
    try {
      const rewritten = { table, existing: await this.#ensureTable(table, columns), seg, newSeg: place.seg }
      const sql = 'thinTo' in how ? thinnedSql(rewritten, columns, thinned, how.thinTo) : withoutSql(rewritten, condition ?? '0')
      await this.#connection.run(sql)
      const rows = (await this.describe([after])).get(after)?.rows ?? 0
      const made = rows === 0 ? null : await this.settle(name, after, rows)
      const isThin = 'thinTo' in how || segment.thinned !== undefined
      await accept(made === null || !isThin ? made : { ...made, thinned: 'thinTo' in how ? how.thinTo : thinned })
    } finally {
      this.#underWay.delete(after)
    }
    return true
  }

  async drop(names: readonly string[]): Promise<void> {
    const asking: Asking = { deadlineAtMs: Date.now() + LOOK_MS, signal: undefined }
    // Rows of a seal or rewriting under way may come into a partition that was seen to have none.
    const current = partitionOf((Date.now() - SWEEP_MS) * 1000)
    for (const table of tablesOf(names)) {
      const gone = new Set(segsOf(names, table))
      const partitions = new Set([...gone].map(partitionOf))
      const there = (await this.#connection.rows(partitionsSql(table, [...partitions]), asking)).map(([seg]) => Number(seg))
      for (const partition of partitions) {
        const segs = there.filter((seg) => partitionOf(seg) === partition)
        const dead = segs.filter((seg) => gone.has(seg))
        if (dead.length === 0) continue
        const isWhole = dead.length === segs.length && partition < current
        const how = isWhole ? `DROP PARTITION ${partition}` : `DELETE WHERE ${sealsSql({ segs: dead })}`
        await this.#connection.run(`ALTER TABLE ${identifier(table)} ${how}`)
      }
    }
  }

  async describe(names: readonly string[]): Promise<Map<string, { rows: number; minUs: number; maxUs: number }>> {
    const found = new Map<string, { rows: number; minUs: number; maxUs: number }>()
    const asking: Asking = { deadlineAtMs: Date.now() + LOOK_MS, signal: undefined }
    for (const table of tablesOf(names)) {
      if (Object.keys(await this.#columnsOf(table, asking)).length === 0) continue
      for (const [seg, rows, minUs, maxUs] of await this.#connection.rows(statsSql(table, segsOf(names, table)), asking))
        found.set(placeName({ table, seg: Number(seg) }), { rows: Number(rows), minUs: Number(minUs), maxUs: Number(maxUs) })
    }
    return found
  }

  /**
   * Erases what no manifest names any more: of seals that were broken off, and of drops while ClickHouse was away.
   * @param isKnown whether a name is of the manifest
   */
  async sweep(isKnown: (file: string) => boolean): Promise<number> {
    await this.#claim()
    const asking: Asking = { deadlineAtMs: Date.now() + LOOK_MS, signal: undefined }
    const tables = await this.#connection.rows(
      `SELECT name FROM system.tables WHERE database = ${literal(this.#connection.database)} AND name != ${literal(OWNER)}`,
      asking,
    )
    const dead: string[] = []
    for (const [name] of tables) {
      const table = String(name)
      if (!(SEG in (await this.#columnsOf(table, asking)))) continue
      const segs = await this.#connection.rows(`SELECT DISTINCT ${identifier(SEG)} FROM ${identifier(table)}`, asking)
      dead.push(
        ...segs.map(([seg]) => placeName({ table, seg: Number(seg) })).filter((file) => !isKnown(file) && !this.#underWay.has(file)),
      )
    }
    await this.drop(dead)
    return dead.length
  }

  /** A condition in ClickHouse's words, by what the table has there. */
  async #conditionOf(table: string, { columns, retyped, condition }: Matching): Promise<string | null> {
    const existing = await this.#columnsOf(table, slowly())
    return conditionSql(condition, scopeOf(columns, retyped, existing, {}))
  }

  /** µs of now: so that seals of one time are one partition. */
  #newSeg(): number {
    return (this.#lastSeg = Math.max(this.#lastSeg + 1, Date.now() * 1000))
  }

  /** Two leaves in one database would take each other's seals for what was broken off. */
  async #claim(): Promise<void> {
    if (this.#isOurs) return
    const { database } = this.#connection
    const asking: Asking = { deadlineAtMs: Date.now() + LOOK_MS, signal: undefined }
    await this.#connection.run(`CREATE TABLE IF NOT EXISTS ${identifier(OWNER)} (leaf String) ENGINE = MergeTree ORDER BY leaf`)
    const owners = (await this.#connection.rows(`SELECT leaf FROM ${identifier(OWNER)}`, asking)).map(([leaf]) => String(leaf))
    if (owners.length === 0) await this.#connection.run(`INSERT INTO ${identifier(OWNER)} (leaf) VALUES (${literal(this.#leaf)})`)
    else if (!owners.includes(this.#leaf))
      throw refuse('SCUBA_DOWN', `the database ${database} at ${this.where} is of the leaf ${owners.join(', ')}, not of ${this.#leaf}`, {
        hint: 'Give each leaf a database of its own.',
      })
    this.#isOurs = true
  }

  async #ensureTable(table: string, columns: ColumnTypes): Promise<StoredColumns> {
    const asking: Asking = { deadlineAtMs: Date.now() + LOOK_MS, signal: undefined }
    await this.#connection.run(createTableSql(table))
    const existing = await this.#readColumns(table, asking)
    // `time` is there from the start, and never missing.
    const { time: _, ...others } = columns
    const missing = addColumnsSql(table, others, existing)
    for (const sql of missing) await this.#connection.run(sql)
    return missing.length === 0 ? existing : this.#readColumns(table, asking)
  }

  /** Known columns, read anew when one is asked for that was not there. */
  async #columnsOf(table: string, asking: Asking): Promise<StoredColumns> {
    return this.#columns.get(table) ?? this.#readColumns(table, asking)
  }

  async #readColumns(table: string, asking: Asking): Promise<StoredColumns> {
    const rows = await this.#connection.rows(columnsSql(literal(this.#connection.database), literal(table)), asking)
    const columns = Object.fromEntries(rows.map(([name, type]) => [String(name), String(type)]))
    if (rows.length > 0) this.#columns.set(table, columns)
    return columns
  }

  /** A share of the table's size: parts hold rows of many seals. */
  async #bytesOf(file: string, rows: number): Promise<number> {
    const table = placeOf(file)?.table ?? ''
    const asking: Asking = { deadlineAtMs: Date.now() + LOOK_MS, signal: undefined }
    const [all, bytes] = ((await this.#connection.rows(sizeSql(this.#connection.database, table), asking))[0] ?? []).map(Number)
    return Math.max(1, Math.round(((bytes ?? 0) / Math.max(1, all ?? 0)) * rows))
  }
}

/** What a retyped column gives is the engine's to say. */
function scopeOf(
  columns: ColumnTypes,
  retyped: readonly string[],
  existing: StoredColumns,
  params: ConditionScope['params'],
): ConditionScope {
  const types = Object.fromEntries(Object.entries(columns).filter(([name]) => !retyped.includes(name)))
  return { types, params, columnSql: (name, type) => columnSql(name, type, existing) }
}

const tablesOf = (names: readonly string[]): string[] => [...new Set(names.flatMap((name) => placeOf(name)?.table ?? []))]

const segsOf = (names: readonly string[], table: string): number[] =>
  names.flatMap((name) => {
    const place = placeOf(name)
    return place?.table === table ? [place.seg] : []
  })

function sealsOf(of: readonly ViewFile[], { sinceMs, untilMs }: Clip): Seals {
  return {
    segs: of.flatMap(({ path }) => placeOf(path)?.seg ?? []),
    sinceUs: sinceMs === undefined ? undefined : sinceMs * 1000,
    untilUs: untilMs === undefined ? undefined : untilMs * 1000,
  }
}

function isAnyFull(rows: readonly unknown[][], groupsMax: number): boolean {
  const counts = new Map<unknown, number>()
  for (const [source] of rows) counts.set(source, (counts.get(source) ?? 0) + 1)
  return [...counts.values()].some((count) => count >= groupsMax)
}

/** Appends lines to a file and counts them. @throws SCUBA_TOO_LARGE */
async function keep(stream: Readable | null, path: string, counted: { rows: number; bytes: number }): Promise<void> {
  const count = new Transform({
    transform(piece: Buffer, _encoding, done) {
      counted.bytes += piece.length
      for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) counted.rows += 1
      const isTooMuch = counted.rows > LIMITS.travelRowsMax || counted.bytes > LIMITS.travelBytesMax
      const refusal =
        isTooMuch &&
        refuse('SCUBA_TOO_LARGE', 'more rows would travel from ClickHouse than the engine takes at once', {
          hint: 'Ask for a shorter time range, fewer columns, or less by WHERE.',
          details: { rowsMax: LIMITS.travelRowsMax, bytesMax: LIMITS.travelBytesMax },
        })
      if (refusal) done(refusal)
      else done(null, piece)
    },
  })
  const file = createWriteStream(path, { flags: 'a', mode: 0o600 })
  if (stream === null) await new Promise((resolve) => file.end(resolve))
  else await pipeline(stream, count, file)
}
