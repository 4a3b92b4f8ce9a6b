import type { Heatmap } from '../../core/scuba/wire-types.ts'

/** Darker ones have more rows; by the logarithm, so that a few slow rows are seen beside many fast ones. */
export const SHADES = 8
const BANDS_MAX = 48

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

/** A heat map with at most so many bands that each can be seen: neighbours are put together. */
export function heatChart({ lows, highest, cells }: Heatmap, steps: readonly number[], stepMs: number): HeatChart {
  const together = Math.max(1, Math.ceil(lows.length / BANDS_MAX))
  const bands: HeatBand[] = []
  for (let i = 0; i < lows.length; i += together) bands.push({ low: lows[i] ?? 0, high: lows[i + together] ?? highest, count: 0 })
  const at = new Map(steps.map((step, i) => [step, i]))
  const counts = new Map<string, HeatCell>()
  for (const [start, row, count] of cells) {
    const step = at.get(start)
    const band = Math.floor(row / together)
    const into = bands[band]
    if (step === undefined || into === undefined) continue
    into.count += count
    const cell = counts.get(`${step} ${band}`)
    if (cell === undefined) counts.set(`${step} ${band}`, { step, band, count, shade: 1 })
    else cell.count += count
  }
  const drawn = [...counts.values()]
  const countMax = drawn.reduce((max, { count }) => Math.max(max, count), 0)
  for (const cell of drawn) cell.shade = shadeOf(cell.count, countMax)
  return { steps, stepMs, bands, cells: drawn, countMax }
}

function shadeOf(count: number, countMax: number): number {
  if (countMax <= 1) return SHADES
  return 1 + Math.round((Math.log(Math.max(1, count)) / Math.log(countMax)) * (SHADES - 1))
}
