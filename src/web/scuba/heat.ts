import type { Heatmap } from '../../core/scuba/wire-types.ts'

/** Darker ones have more rows; by the logarithm, so that a few slow rows are seen beside many fast ones. */
export const SHADES = 8
const BANDS_MAX = 48
/** Width of a row of the store's answer, as a factor. */
const GAMMA = 1.02

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
 * values is as wide as it is.
 */
export function heatChart({ lows, highest, cells }: Heatmap, steps: readonly number[], stepMs: number): HeatChart {
  const lowest = lows.find((low) => low > 0) ?? 1
  const below = (lows[0] ?? lowest) <= 0 ? 1 : 0
  const top = Math.max(highest, lowest * GAMMA)
  const count = Math.min(BANDS_MAX - below, Math.max(1, Math.round(Math.log(top / lowest) / Math.log(GAMMA))))
  const factor = (top / lowest) ** (1 / count)
  const bands: HeatBand[] = below === 1 ? [{ low: lows[0] ?? 0, high: lowest, count: 0 }] : []
  for (let i = 0; i < count; i += 1)
    bands.push({ low: lowest * factor ** i, high: i === count - 1 ? top : lowest * factor ** (i + 1), count: 0 })
  /** The rows of the answer are narrow: the middle of one says where it belongs. */
  const bandOf = (low: number): number =>
    low <= 0 ? 0 : below + Math.min(count - 1, Math.max(0, Math.floor(Math.log((low * Math.sqrt(GAMMA)) / lowest) / Math.log(factor))))
  const at = new Map(steps.map((step, i) => [step, i]))
  const drawn = new Map<string, HeatCell>()
  for (const [start, row, rows] of cells) {
    const step = at.get(start)
    const band = bandOf(lows[row] ?? lowest)
    const into = bands[band]
    if (step === undefined || into === undefined) continue
    into.count += rows
    const cell = drawn.get(`${step} ${band}`)
    if (cell === undefined) drawn.set(`${step} ${band}`, { step, band, count: rows, shade: 1 })
    else cell.count += rows
  }
  const all = [...drawn.values()]
  const countMax = all.reduce((max, cell) => Math.max(max, cell.count), 0)
  for (const cell of all) cell.shade = shadeOf(cell.count, countMax)
  return { steps, stepMs, bands, cells: all, countMax }
}

function shadeOf(count: number, countMax: number): number {
  if (countMax <= 1) return SHADES / 2
  return 1 + Math.round((Math.log(Math.max(1, count)) / Math.log(countMax)) * (SHADES - 1))
}
