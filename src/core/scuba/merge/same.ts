import type { Amount, Partial } from './partial.ts'

/** Whether two partials say the same; sums of fractions may differ in their last digits, by the order they were added in. */
export function isSamePartial(a: Partial, b: Partial): boolean {
  if (a.rows.length !== b.rows.length || a.isCut !== b.isCut) return false
  const rows = new Map(b.rows.map((row) => [`${row.step} ${row.id}`, row]))
  return a.rows.every((row) => {
    const other = rows.get(`${row.step} ${row.id}`)
    if (!other || !areClose(row.parts, other.parts)) return false
    return row.sketches.every((sketch, at) => isSameSketch(sketch, other.sketches[at] ?? null))
  })
}

type Sketch = Partial['rows'][number]['sketches'][number]

function isSameSketch(a: Sketch, b: Sketch): boolean {
  if (a === null || b === null) return a === b
  const weights = new Map(b.codes.map((code, at) => [code, b.weights?.[at] ?? 0]))
  return (
    weights.size === a.codes.length &&
    a.codes.every((code, at) => weights.has(code) && isClose(a.weights?.[at] ?? 0, weights.get(code) ?? 0))
  )
}

const areClose = (a: readonly Amount[], b: readonly Amount[]): boolean =>
  a.length === b.length && a.every((value, at) => isClose(value, b[at] ?? null))

function isClose(a: Amount, b: Amount): boolean {
  if (a === null || b === null) return a === b
  if (a === b) return true
  const [x, y] = [Number(a), Number(b)]
  return Math.abs(x - y) <= 1e-9 * Math.max(Math.abs(x), Math.abs(y))
}
