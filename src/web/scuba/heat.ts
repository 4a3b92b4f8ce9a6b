import type { Heatmap } from '../../core/scuba/wire-types.ts'

/** Darker ones have more rows; by the logarithm, so that a few slow rows are seen beside many fast ones. */
export const SHADES = 8
const BANDS_MAX = 48
/** Width of the narrowest row of the store's answer, as a factor. */
const GAMMA = 1.02
/** Rows that are further apart than this have a gap between them, whatever their width. */
const WIDTH_MAX = 2

export interface HeatBand {
  low: number
  high: number
  /** rows in it over all steps */
  count: number
}

export interface HeatCell {
  /** index of its step */
  step: number
  band: number
  count: number
  /** 1 … SHADES */
  shade: number
}

export interface HeatChart {
  steps: readonly number[]
  stepMs: number
  /** lowest first */
  bands: HeatBand[]
  cells: HeatCell[]
  countMax: number
}

/**
 * A heat map on bands that are equally high by the logarithm, few enough that each can be seen; what is zero or less is in one below. So a gap between
 * values is as wide as it is. A band is so many whole rows of the answer: with other edges than theirs, some bands would have no row, and others two.
 */
export function heatChart({ lows, highest, cells }: Heatmap, steps: readonly number[], stepMs: number): HeatChart {
  const lowest = lows.find((low) => low > 0) ?? 1
  const below = (lows[0] ?? lowest) <= 0 ? 1 : 0
  const width = rowWidth(lows)
  const top = Math.max(highest, lowest * width)
  const rows = Math.max(1, Math.ceil(Math.log(top / lowest) / Math.log(width) - 0.01))
  const rowsOfBand = Math.ceil(rows / (BANDS_MAX - below))
  const count = Math.ceil(rows / rowsOfBand)
  const factor = width ** rowsOfBand
  const bands: HeatBand[] = below === 1 ? [{ low: lows[0] ?? 0, high: lowest, count: 0 }] : []
  for (let i = 0; i < count; i += 1)
    bands.push({ low: lowest * factor ** i, high: i === count - 1 ? top : lowest * factor ** (i + 1), count: 0 })
  /** The middle of a row says where it belongs. */
  const bandOf = (low: number): number =>
    low <= 0 ? 0 : below + Math.min(count - 1, Math.max(0, Math.floor(Math.log((low * Math.sqrt(width)) / lowest) / Math.log(factor))))
  const at = new Map(steps.map((step, i) => [step, i]))
  const drawn = new Map<string, HeatCell>()
  for (const [start, row, weight] of cells) {
    const step = at.get(start)
    const band = bandOf(lows[row] ?? lowest)
    const into = bands[band]
    if (step === undefined || into === undefined) continue
    into.count += weight
    const cell = drawn.get(`${step} ${band}`)
    if (cell === undefined) drawn.set(`${step} ${band}`, { step, band, count: weight, shade: 1 })
    else cell.count += weight
  }
  const all = [...drawn.values()]
  const countMax = all.reduce((max, cell) => Math.max(max, cell.count), 0)
  for (const cell of all) cell.shade = shadeOf(cell.count, countMax)
  return { steps, stepMs, bands, cells: all, countMax }
}

/** How wide the rows are, as a factor: the least between two that follow each other. */
function rowWidth(lows: readonly number[]): number {
  let least = Infinity
  for (const [i, low] of lows.entries()) {
    const next = lows[i + 1]
    if (low > 0 && next !== undefined) least = Math.min(least, next / low)
  }
  return least <= WIDTH_MAX ? least : GAMMA
}

function shadeOf(count: number, countMax: number): number {
  if (countMax <= 1) return SHADES / 2
  return 1 + Math.round((Math.log(Math.max(1, count)) / Math.log(countMax)) * (SHADES - 1))
}
