import { rm } from 'node:fs/promises'
import type { Partial } from '../../../core/scuba/merge/partial.ts'
import type { PartialPlan } from '../../../core/scuba/plan/sources.ts'
import type { ViewFile } from '../../../core/scuba/plan/view.ts'
import type { ColumnTypes } from '../../../core/scuba/rows/columns.ts'
import { expressionNode, expressionSql } from '../../../core/scuba/sql/expression.ts'
import type { Gathering } from './gather.ts'
import type { PlannedSource } from './sources.ts'

export type Made = PlannedSource & { made: Partial; costMs: number }

/**
 * Partials of segments that are away: made there, or, where there are no words for them there, by the engine from their rows.
 * @param compute makes those of files the engine can read
 */
export async function awayPartials(
  asked: Gathering,
  partial: PartialPlan,
  sources: readonly PlannedSource[],
  compute: (sources: readonly PlannedSource[]) => Promise<Made[]>,
): Promise<Made[]> {
  const { engines, plan, table, columns, params, deadlineAtMs, signal } = asked
  const { away } = engines
  if (away === null) throw new Error('segments are away, and nothing is known of where')
  const { columns: stored, retyped = [] } = table.view
  const started = performance.now()
  // What a derived or retyped column gives is the engine's to say.
  const isPlain = columns.every((name) => name in stored && !retyped.includes(name))
  const types: ColumnTypes = Object.fromEntries(Object.entries(stored).filter(([name]) => !isPlain || columns.includes(name)))
  const made = isPlain
    ? await away.partials({
        ...{
          plan: partial,
          list: plan.list,
          registers: plan.registers,
          isPortable: plan.isPortable,
          types,
          sources,
          params,
          deadlineAtMs,
          signal,
        },
        trees: await treesOf(asked),
      })
    : null
  if (made !== null) {
    const costMs = (performance.now() - started) / Math.max(1, sources.length)
    return sources.map((source, at) => ({ ...source, made: made[at] ?? { rows: [], count: 0, isCut: false, all: null }, costMs }))
  }
  const trees = await treesOf(asked)
  const conditions = plan.where === null ? [] : [trees.get(plan.where)]
  const fetched: ViewFile[][] = []
  try {
    for (const { files, clip } of sources)
      fetched.push(await away.rows({ files, clip, columns: types, retyped, conditions, params, deadlineAtMs, signal }))
    const computed = await compute(sources.map(({ clip }, at) => ({ clip, files: fetched[at] ?? [] })))
    return computed.map((one, at) => ({ ...one, files: sources[at]?.files ?? [] }))
  } finally {
    for (const { path } of fetched.flat()) await rm(path, { force: true })
  }
}

/** Each condition of the plan with its node of the engine's parse tree. */
async function treesOf({ engines, plan }: Gathering): Promise<Map<string, unknown>> {
  const trees = new Map<string, unknown>()
  for (const text of plan.expressions) trees.set(text, expressionNode(await engines.idlest.parse(expressionSql(text, plan.table))))
  return trees
}
