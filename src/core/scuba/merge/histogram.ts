import type { Heatmap } from '../wire-types.ts'

/** Width of a bucket: a value and the middle of its bucket differ by at most (γ − 1) / (γ + 1), which is 0.99 %. */
export const GAMMA = 1.02
export const HISTOGRAM_ERROR_MAX = (GAMMA - 1) / (GAMMA + 1) + 1e-9

const PER_LN = 1 / Math.log(GAMMA)
/** Code of the bucket of 1; large enough for the smallest double (γ^-37,600). */
const ONE = 40_000

/**
 * Code of a value's bucket, ascending with the value: 0 is zero, a positive code holds (γ^(code−1−40,000), γ^(code−40,000)],
 * a negative one the same below zero. {@link bucketSql} is the same in SQL.
 */
export function bucketOf(value: number): number {
  if (value === 0) return 0
  const code = Math.ceil(Math.log(Math.abs(value)) * PER_LN) + ONE
  return value > 0 ? code : -code
}

/**
 * SQL of the code of a numeric expression; NULL for NULL, NaN and infinities. Rounding up is done by the cast, which rounds to the nearest.
 * @param type of the code; it has to hold the codes of all values, else the engine refuses
 */
export function bucketSql(number: string, type: 'INTEGER' | 'USMALLINT' = 'INTEGER'): string {
  const cast = (code: string): string => (type === 'INTEGER' ? `TRY_CAST(${code} AS INTEGER)` : `(${code})::${type}`)
  const code = (value: string): string => `ln(${value}) * ${PER_LN}::DOUBLE + ${ONE + 0.5}::DOUBLE`
  // Nearly all values are above zero; zero gets zero from its sign.
  const rest = `(${code(`greatest(-(${number})::DOUBLE, 5e-324::DOUBLE)`)}) * sign(${number})`
  return `CASE WHEN ${number} > 0 THEN ${cast(code(number))} ELSE ${cast(rest)} END`
}

/** The value that stands for a bucket: equally far, relatively, from both of its ends. */
export function bucketValue(code: number): number {
  if (code === 0) return 0
  const value = (2 * GAMMA ** (Math.abs(code) - ONE)) / (GAMMA + 1)
  return code > 0 ? value : -value
}

/** Lower end of a bucket. */
function bucketLow(code: number): number {
  if (code === 0) return 0
  return code > 0 ? GAMMA ** (code - 1 - ONE) : -(GAMMA ** (-code - ONE))
}

/** Weighted counts by size of value; merging is adding. */
export class Histogram {
  readonly counts = new Map<number, number>()
  /** the codes in order; of another number of codes: to be made anew */
  #sorted = new Int32Array(0)

  add(code: number, weight: number): void {
    this.counts.set(code, (this.counts.get(code) ?? 0) + weight)
  }

  merge(other: Histogram): void {
    for (const [code, weight] of other.counts) this.add(code, weight)
  }

  /** Weighted count of all values. */
  get total(): number {
    let total = 0
    for (const weight of this.counts.values()) total += weight
    return total
  }

  /** The value below or at which a share `q` of the weight lies (nearest rank), within {@link HISTOGRAM_ERROR_MAX}; null when empty. */
  quantile(q: number): number | null {
    // A typed array sorts numbers several times as fast as one with a comparison.
    if (this.#sorted.length !== this.counts.size) this.#sorted = Int32Array.from(this.counts.keys()).sort()
    const codes = this.#sorted
    const last = codes.at(-1)
    if (last === undefined) return null
    // Weights may be fractions, whose sum depends on its order.
    const wanted = q * this.total * (1 - 1e-12)
    let below = 0
    for (const code of codes) {
      below += this.counts.get(code) ?? 0
      if (below >= wanted) return bucketValue(code)
    }
    return bucketValue(last)
  }
}

const HEATMAP_ROWS_MAX = 40

/** Histograms per step as a heatmap of at most 40 rows: neighbouring buckets are put together evenly. */
export function heatmapOf(steps: ReadonlyMap<number, Histogram>): Heatmap {
  const codes = new Set<number>()
  for (const { counts } of steps.values()) for (const code of counts.keys()) codes.add(code)
  const sorted = [...codes].sort((a, b) => a - b)
  const first = sorted[0]
  const last = sorted.at(-1)
  if (first === undefined || last === undefined) return { lows: [], highest: 0, cells: [] }
  const width = rowWidth(sorted)
  const rows = [...new Set(sorted.map((code) => rowOf(code, width)))].sort((a, b) => a - b)
  const index = new Map(rows.map((row, at) => [row, at]))
  const cells: Heatmap['cells'] = []
  for (const [step, { counts }] of [...steps].sort(([a], [b]) => a - b)) {
    const byRow = new Map<number, number>()
    for (const [code, weight] of counts) {
      const at = index.get(rowOf(code, width)) ?? 0
      byRow.set(at, (byRow.get(at) ?? 0) + weight)
    }
    for (const [at, weight] of [...byRow].sort(([a], [b]) => a - b)) cells.push([step, at, weight])
  }
  return { lows: rows.map((row) => bucketLow(firstCode(row, width))), highest: bucketValue(last), cells }
}

/** Rows count from zero outwards, so that zero and the signs stay apart. */
const rowOf = (code: number, width: number): number => Math.sign(code) * Math.ceil(Math.abs(code) / width)
const firstCode = (row: number, width: number): number => (row > 0 ? (row - 1) * width + 1 : row * width)

function rowWidth(codes: readonly number[]): number {
  for (let width = 1; ; width *= 2) if (new Set(codes.map((code) => rowOf(code, width))).size <= HEATMAP_ROWS_MAX) return width
}
