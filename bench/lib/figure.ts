/** One measured figure; with a target it is judged. */
export interface Figure {
  bench: string
  metric: string
  value: number
  unit: string
  /** e.g. `>= 50000`, or null: only reported */
  target: string | null
  /** whether the target holds; true without one */
  ok: boolean
}

type Comparison = '>=' | '<='

/** Figures of one benchmark: `figure('rate', 52_000, 'entries/s', '>=', 50_000)`. */
export function figuresOf(bench: string): (metric: string, value: number, unit: string, comparison?: Comparison, limit?: number) => Figure {
  return (metric, value, unit, comparison, limit) => {
    const rounded = round(value)
    if (comparison === undefined || limit === undefined) return { bench, metric, value: rounded, unit, target: null, ok: true }
    const ok = comparison === '>=' ? value >= limit : value <= limit
    return { bench, metric, value: rounded, unit, target: `${comparison} ${round(limit)}`, ok }
  }
}

/** Three significant digits, or whole numbers above a thousand. */
function round(value: number): number {
  return Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(3))
}
