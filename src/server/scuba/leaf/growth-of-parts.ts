import { growthRows, type GrowthCell } from '../../../core/scuba/merge/growth.ts'
import type { Amount, Partial, PartialRow } from '../../../core/scuba/merge/partial.ts'
import { allRowsAnswer } from '../../../core/scuba/plan/all-rows.ts'
import { growingColumn, growthSql } from '../../../core/scuba/plan/growth.ts'
import { columnsOf, viewSql } from '../../../core/scuba/plan/view.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import type { PlainValue } from '../../../core/scuba/wire-types.ts'
import type { Gathering } from './gather.ts'
import { isAligned } from './held-partials.ts'
import { partsOf, rowsIn, type PartsAsked, type PartSource, type Range } from './known-parts.ts'

/** Series by step and file of one question; of more, all rows together are asked. */
const CELLS_MAX = 200_000
const EVERYTHING: Range = { sinceUs: -Infinity, untilUs: Infinity }

/**
 * How much counters grew, from parts of files. Null when the panel asks for something else, too, when samples of a series lie over each
 * other in two files, or when there are too many series.
 */
export async function growthOfParts(gathering: Gathering): Promise<ReturnType<typeof allRowsAnswer> | null> {
  const { engines, plan, table, use } = gathering
  const column = growingColumn(plan)
  if (column === null || table.files.some(({ kind }) => kind === 'away')) return null
  const types = columnsOf(table.view)
  const key = keyOf(gathering, growthSql(plan, column, types, ''))
  if (engines.manyGroups.has(key)) return null
  // By whole steps a file that reaches over the range is used as it is, without the steps outside.
  const asked: PartsAsked = { key, range: isAligned(plan) ? EVERYTHING : rangeOf(gathering), files: table.files }
  const cells: GrowthCell[] = []
  const add = (partial: Partial): void => {
    for (const row of partial.rows) if (!isAligned(plan) || isWithin(gathering, row)) cells.push(cellOf(row))
  }
  try {
    for await (const parts of partsOf(engines.partials, asked, table.view.files, use, (round) => compute(gathering, column, round))) {
      for (const partial of parts) add(partial)
      if (cells.length > CELLS_MAX) return tooMany(gathering, key)
    }
  } catch (error) {
    if (error instanceof MusterError && error.code === 'SCUBA_TOO_LARGE') return tooMany(gathering, key)
    throw error
  }
  const rows = growthRows(plan, cells)
  return rows && allRowsAnswer(plan, rows)
}

function tooMany({ engines }: Gathering, key: string): null {
  engines.manyGroups.add(key)
  return null
}

const rangeOf = ({ plan }: Gathering): Range => ({ sinceUs: plan.sinceMs * 1000, untilUs: plan.untilMs * 1000 })

const isWithin = ({ plan }: Gathering, { step }: PartialRow): boolean => step !== null && step >= plan.sinceMs && step < plan.untilMs

/** All that a part depends on but its files. */
function keyOf({ table, params }: Gathering, sql: string): string {
  const { columns, retyped, derived } = table.view
  return JSON.stringify(['growth', sql, columns, retyped, derived, params])
}

const cellOf = ({ key, step, parts }: PartialRow): GrowthCell => {
  const [firstUs, first, lastUs, last, grown] = parts.map((part) => (part === null ? null : Number(part)))
  return {
    ...{ series: key[0] ?? null, key: key.slice(1), step },
    ...{ firstUs: firstUs ?? 0, first: first ?? null, lastUs: lastUs ?? 0, last: last ?? null, grown: grown ?? null },
  }
}

async function compute(
  { engines, plan, table, params, deadlineAtMs, signal }: Gathering,
  column: string,
  sources: readonly PartSource[],
): Promise<(PartSource & { partial: Partial; costMs: number })[]> {
  const started = performance.now()
  const { sinceMs: _since, untilMs: _until, ...whole } = table.view
  const types = columnsOf(table.view)
  const selects = sources.map(({ files, isWhole }, at) => {
    const view = viewSql({ ...(isWhole ? whole : { ...whole, sinceMs: plan.sinceMs, untilMs: plan.untilMs }), files }).sql
    return `SELECT ${at}, * FROM (${growthSql(plan, column, types, view)})`
  })
  const { rows } = await engines.run(
    {
      ...{ sql: selects.join('\nUNION ALL\n'), views: [], params, isCollected: true, rowsMax: CELLS_MAX },
      deadlineMs: Math.max(1, deadlineAtMs - Date.now()),
    },
    signal,
  )
  const tookMs = performance.now() - started
  const made = sources.map((): PartialRow[] => [])
  for (const row of rows) made[Number(row[0])]?.push(partialRow(row, plan.by.length))
  return sources.map((source, at) => {
    const own = made[at] ?? []
    const partial: Partial = { rows: own, count: own.length, isCut: false, all: null }
    return { ...source, partial, costMs: (tookMs * rowsIn([source])) / Math.max(1, rowsIn(sources)) }
  })
}

/** Of source, step, keys, series and five numbers. */
function partialRow([, step, ...row]: PlainValue[], keys: number): PartialRow {
  const parts = row.slice(keys + 1).map((value): Amount => (value === null ? null : Number(value)))
  return { key: [row[keys] ?? null, ...row.slice(0, keys)], id: '', step: step === null ? null : Number(step), parts, sketches: [] }
}
