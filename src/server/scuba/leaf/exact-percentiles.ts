import { Histogram } from '../../../core/scuba/merge/histogram.ts'
import { allRowsAnswer } from '../../../core/scuba/plan/all-rows.ts'
import { columnsOfCalcs, exactCalcs, histogramPlan, placeOf, valuesPlan } from '../../../core/scuba/plan/exact.ts'
import { columnsOf } from '../../../core/scuba/plan/view.ts'
import { gather, type Gathering } from './gather.ts'
import type { Reading } from './reading.ts'

/** The answer of a panel of exact percentiles in two passes; null when it is none, or has values that no histogram holds. */
export async function exactPercentiles(gathering: Gathering, views: Reading['views']): Promise<ReturnType<typeof allRowsAnswer> | null> {
  const { plan, table, engines, params, deadlineAtMs, signal } = gathering
  const calcs = exactCalcs(plan)
  if (calcs === null || plan.isPortable || table.files.some(({ kind }) => kind === 'away')) return null
  const types = columnsOf(table.view)
  const merged = await gather({ ...gathering, plan: histogramPlan(plan, calcs, types) }, 'all')
  const [all] = merged.groups.values()
  if (all === undefined) return allRowsAnswer(plan, [])
  const histograms = new Map(
    columnsOfCalcs(calcs).map((column, at) => {
      const sketch = all.total.sketches[at]
      return [column, sketch instanceof Histogram ? sketch : new Histogram()]
    }),
  )
  const totals = [...histograms.values()].map(({ total }) => total)
  if (totals.some((total) => total !== Number(all.total.parts[0]))) {
    const [counted] = (await gather({ ...gathering, plan: valuesPlan(plan, calcs, types) }, 'all')).groups.values()
    if (totals.some((total, at) => total !== Number(counted?.total.parts[at]))) return null
  }
  const values: (number | null)[] = []
  for (const calc of calcs) {
    const histogram = histograms.get(calc.column)
    if (!histogram || histogram.total === 0) {
      values.push(null)
      continue
    }
    const { sql, share } = placeOf(plan, calc, types, histogram)
    const { rows } = await engines.run({ sql, views, params, deadlineMs: Math.max(1, deadlineAtMs - Date.now()) }, signal)
    const [low, high = low] = rows.map(([value]) => Number(value))
    // Rows may not be counted as they are ordered; then all of them are asked.
    if (low === undefined || high === undefined) return null
    values.push(low + (high - low) * share)
  }
  return allRowsAnswer(plan, [[false, 1, null, 1, ...values]])
}
