import { quoteName, quoteText } from '../names.ts'
import type { PartialPlan, Rollup } from '../plan/sources.ts'
import type { ColumnTypes } from '../rows/columns.ts'
import { words } from '../sql/words.ts'
import { specWords, type RollupSpec } from './artefact.ts'

/*
 * A rollup holds what a panel's partial is made of, for each minute and combination of dimensions, so that any panel over a part
 * of these dimensions, with wider steps and any condition on them, is made from it instead of from the rows.
 */

const MINUTE_MS = 60_000

/**
 * The rollups that would answer a plan over whole minutes: one for each list of groups it makes, in its order. None when a condition
 * looks at the time, or a calculation takes parameters.
 * @param types of all columns the plan reads
 */
export function rollupsOf(plan: PartialPlan, types: ColumnTypes): RollupSpec[] | null {
  const { stepMs, parts, by } = plan
  if (stepMs !== null && stepMs % MINUTE_MS !== 0) return null
  // What is grouped by is no column.
  if (by.some(({ name }) => !(name in types))) return null
  const asked = plan.where === null ? new Set<string>() : words(plan.where)
  const dims: ColumnTypes = {}
  for (const [name, type] of Object.entries(types).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!asked.has(name.toLowerCase()) && !by.some((column) => column.name === name)) continue
    if (type === 'TIMESTAMP') return null
    dims[name] = type
  }
  const sketches = plan.sketches.length === 0 ? [null] : plan.sketches
  const usesParams = [...parts.map(({ sql }) => sql), ...plan.sketches.map(({ codeSql }) => codeSql)].some((sql) => sql.includes('$'))
  return usesParams ? null : sketches.map((sketch) => ({ dims, parts: [...parts], sketch, types }))
}

/** Whether a rollup has what another one would have. */
export function covers(has: RollupSpec, wanted: RollupSpec): boolean {
  return (
    JSON.stringify(has.sketch) === JSON.stringify(wanted.sketch) &&
    Object.entries(wanted.dims).every(([name, type]) => has.dims[name] === type) &&
    Object.entries(wanted.types).every(([name, type]) => has.types[name] === undefined || has.types[name] === type) &&
    wanted.parts.every(({ sql }) => has.parts.some((part) => part.sql === sql))
  )
}

/** SELECT that a rollup's file is made of. */
export function rollupSql({ dims, parts, sketch }: RollupSpec, from: string): string {
  const keys = ['minute', ...Object.keys(dims).map(quoteName), 'muster_code']
  // A file cannot hold whole numbers of 128 bit; decimals of 38 digits it can.
  const values = parts.map(({ sql, isWhole }, at) => `${isWhole ? `(${sql})::DECIMAL(38, 0)` : sql} AS muster_p${at}`)
  const code = sketch === null ? 'NULL::INTEGER' : sketch.codeSql
  const weight = sketch === null ? 'NULL::INTEGER' : sketch.weightSql
  return `SELECT epoch_us("time") // ${MINUTE_MS * 1000} AS minute, ${[...Object.keys(dims).map(quoteName), `${code} AS muster_code`, ...values, `${weight} AS muster_w`].join(', ')} FROM (${from}) GROUP BY ${keys.map((_, at) => at + 1).join(', ')} ORDER BY ALL`
}

/** The files of a rollup in place of a source's rows, for the list of groups of a plan that they were found for. */
export function rollupSource(plan: PartialPlan, at: number, spec: RollupSpec, paths: readonly string[]): Rollup {
  const { parts } = spec
  const sketch = plan.sketches[at]
  return {
    from: `SELECT make_timestamp(minute * ${MINUTE_MS * 1000}) AS "time", * EXCLUDE (minute) FROM read_parquet([${paths.map(quoteText).join(', ')}])`,
    parts: plan.parts.map(({ sql, merge, isWhole }) => {
      const place = `muster_p${parts.findIndex((part) => part.sql === sql)}`
      return `${merge === 'add' ? 'sum' : merge}(${isWhole ? `${place}::HUGEINT` : place})`
    }),
    codeSql: 'muster_code',
    weightSql: sketch?.kind === 'distinct' ? 'min(muster_w)' : 'sum(muster_w)',
    words: specWords({ kind: 'rollup', ...spec }),
  }
}
