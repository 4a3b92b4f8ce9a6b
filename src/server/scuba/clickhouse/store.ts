import { createReadStream } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { conditionSql, type ConditionScope } from '../../../core/scuba/clickhouse/condition.ts'
import { identifier, SEG } from '../../../core/scuba/clickhouse/names.ts'
import { engineRows, partialQueries } from '../../../core/scuba/clickhouse/partials.ts'
import { placeName, placeOf, type Place } from '../../../core/scuba/clickhouse/place.ts'
import { matchesSql, thinnedSql, withoutSql } from '../../../core/scuba/clickhouse/rewrite.ts'
import { rowsSql, sealsSql, statsSql, type Seals } from '../../../core/scuba/clickhouse/rows.ts'
import {
  columnSql,
  exportHead,
  exportSql,
  insertSql,
  partitionOf,
  partitionsSql,
  type StoredColumns,
} from '../../../core/scuba/clickhouse/table.ts'
import { partialsOf, type Partial } from '../../../core/scuba/merge/partial.ts'
import type { ViewFile } from '../../../core/scuba/plan/view.ts'
import type { ColumnTypes } from '../../../core/scuba/rows/columns.ts'
import type { Segment } from '../../../core/scuba/wal/manifest.ts'
import type { Logger } from '../../../platform/logger.ts'
import type { Engine } from '../leaf/engine.ts'
import type { Clip } from '../leaf/partial-cache.ts'
import type { Matching, PartialsAsked, Rewriting, RowsAsked, Sealing } from '../leaf/segment-store.ts'
import { slowly, type Connection } from './connection.ts'
import { keepLines } from './keep-lines.ts'
import { lookingUp, Tables } from './tables.ts'

const SWEEP_MS = 3_600_000
const FIRST_SWEEP_MS = 600_000

let files = 0

export interface Owner {
  /** writes out what is to be sealed */
  engine: Engine
  /** the leaf's folder, and its name */
  dir: string
  leaf: string
  log: Logger
  /** which of the leaf's servers it is, from 1 */
  server: number
}

/** A leaf's sealed rows in a ClickHouse database, which is that leaf's alone. */
export class ClickHouseStore {
  readonly #connection: Connection
  readonly #engine: Engine
  readonly #dir: string
  readonly #server: number
  readonly #tables: Tables
  readonly #log: Logger
  #isBusy = false
  #lastSeg = 0
  /** places that are written and that the manifest does not name yet */
  readonly #underWay = new Set<string>()
  /** first ten minutes after the start: what it finds then is of no seal under way */
  #sweptAtMs = performance.now() - SWEEP_MS + FIRST_SWEEP_MS

  constructor(connection: Connection, { engine, dir, leaf, log, server }: Owner) {
    this.#connection = connection
    this.#engine = engine
    this.#dir = dir
    this.#server = server
    // Servers that were told in another order would be taken for one another.
    this.#tables = new Tables(connection, server === 1 ? leaf : `${leaf} (${server})`)
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
        this.#tables.forget()
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
    await this.#tables.claim()
    const place = this.#place(table, this.#newSeg())
    const path = join(this.#dir, 'tmp', `${table}-${place.seg}.native`)
    try {
      const head = exportHead(columns, await this.#tables.ensure(table, columns))
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
    const bytes = await this.#tables.bytesOf(file, rows)
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
    const existing = await this.#tables.columnsOf(stored, asking)
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
        const existing = await this.#tables.columnsOf(table, asking)
        const scope = scopeOf(columns, retyped, existing, params)
        const where = conditions.map((node) => conditionSql(node, scope)).filter((sql) => sql !== null)
        const seals = sealsOf(
          of.filter(({ path: name }) => placeOf(name)?.table === table),
          clip,
        )
        const sql = rowsSql(table, columns, new Set(retyped), existing, seals, where)
        await this.#connection.lines(sql, asking, (stream) => keepLines(stream, path, counted))
      }
      if (counted.bytes === 0) await keepLines(null, path, counted)
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
        found.set(placeName(this.#place(table, Number(seg))), Number(count))
    }
    return found
  }

  async rewrite({ segment, columns, how, accept }: Rewriting): Promise<boolean> {
    const { file, table: name, thinned = 1 } = segment
    const { table, seg } = placeOf(file) ?? this.#place(name, 0)
    const condition = 'thinTo' in how ? null : await this.#conditionOf(table, how)
    if (!('thinTo' in how) && condition === null) return false
    const place = this.#place(table, this.#newSeg())
    const after = placeName(place)
    // Until the manifest names it, it is not to be swept up.
    this.#underWay.add(after)
    try {
      const rewritten = { table, existing: await this.#tables.ensure(table, columns), seg, newSeg: place.seg }
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
    // Rows of a seal or rewriting under way may come into a partition that was seen to have none.
    const current = partitionOf((Date.now() - SWEEP_MS) * 1000)
    for (const table of tablesOf(names)) {
      const gone = new Set(segsOf(names, table))
      const partitions = new Set([...gone].map(partitionOf))
      const there = (await this.#connection.rows(partitionsSql(table, [...partitions]), lookingUp())).map(([seg]) => Number(seg))
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
    for (const table of tablesOf(names)) {
      if (Object.keys(await this.#tables.columnsOf(table, lookingUp())).length === 0) continue
      for (const [seg, rows, minUs, maxUs] of await this.#connection.rows(statsSql(table, segsOf(names, table)), lookingUp()))
        found.set(placeName(this.#place(table, Number(seg))), { rows: Number(rows), minUs: Number(minUs), maxUs: Number(maxUs) })
    }
    return found
  }

  /**
   * Erases what no manifest names any more: of seals that were broken off, and of drops while ClickHouse was away.
   * @param isKnown whether a name is of the manifest
   */
  async sweep(isKnown: (file: string) => boolean): Promise<number> {
    await this.#tables.claim()
    const dead: string[] = []
    for (const table of await this.#tables.names()) {
      if (!(SEG in (await this.#tables.columnsOf(table, lookingUp())))) continue
      const segs = await this.#connection.rows(`SELECT DISTINCT ${identifier(SEG)} FROM ${identifier(table)}`, lookingUp())
      dead.push(
        ...segs.map(([seg]) => placeName(this.#place(table, Number(seg)))).filter((file) => !isKnown(file) && !this.#underWay.has(file)),
      )
    }
    await this.drop(dead)
    return dead.length
  }

  /** A condition in ClickHouse's words, by what the table has there. */
  async #conditionOf(table: string, { columns, retyped, condition }: Matching): Promise<string | null> {
    const existing = await this.#tables.columnsOf(table, slowly())
    return conditionSql(condition, scopeOf(columns, retyped, existing, {}))
  }

  #place(table: string, seg: number): Place {
    return { server: this.#server, table, seg }
  }

  /** µs of now: so that seals of one time are one partition. */
  #newSeg(): number {
    return (this.#lastSeg = Math.max(this.#lastSeg + 1, Date.now() * 1000))
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
