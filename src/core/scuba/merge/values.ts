import type { CalcParts } from '../plan/parts.ts'
import type { Accuracy, Heatmap } from '../wire-types.ts'
import { Histogram, HISTOGRAM_ERROR_MAX, heatmapOf } from './histogram.ts'
import { HyperLogLog, standardError } from './hyperloglog.ts'
import type { Cell, MergedGroup } from './groups.ts'

/** The value of a calculation from its merged parts; null without a value. */
export function valueOf({ calc, parts, sketch }: CalcParts, cell: Cell): number | null {
  const amount = (at: number): number | null => {
    const value = cell.parts[parts[at] ?? -1] ?? null
    return value === null ? null : Number(value)
  }
  const held = sketch === null ? null : (cell.sketches[sketch] ?? null)
  switch (calc.kind) {
    case 'count':
      return amount(0) ?? 0
    case 'sum':
    case 'min':
    case 'max':
      return amount(0)
    case 'avg': {
      const [sum, all, without] = [amount(0), amount(1), amount(2)]
      const weight = (all ?? 0) - (without ?? 0)
      return sum === null || weight === 0 ? null : sum / weight
    }
    case 'ratio': {
      const [part, all] = [amount(0), amount(1)]
      return all === null || all === 0 ? null : (part ?? 0) / all
    }
    case 'percentile':
      return held instanceof Histogram ? held.quantile(calc.q) : null
    case 'heatmap':
      return held instanceof Histogram ? held.total : 0
    case 'distinct':
      return held instanceof HyperLogLog ? held.estimate() : 0
    default:
      return null
  }
}

export function heatmapsOf(calcs: readonly CalcParts[], { total, steps }: MergedGroup): Record<string, Heatmap> | undefined {
  const wanted = calcs.filter(({ calc }) => calc.kind === 'heatmap')
  if (wanted.length === 0) return undefined
  return Object.fromEntries(
    wanted.map(({ calc, sketch }) => {
      const histograms = new Map<number, Histogram>()
      const cells: Iterable<[number, Cell]> = steps.size > 0 ? steps : [[0, total]]
      for (const [step, cell] of cells) {
        const held = cell.sketches[sketch ?? -1]
        if (held instanceof Histogram) histograms.set(step, held)
      }
      return [calc.text, heatmapOf(histograms)]
    }),
  )
}

/** How exact a calculation is by its own kind. */
export function accuracyOf({ calc }: CalcParts, registers: number, isSampled: boolean): Accuracy {
  switch (calc.kind) {
    case 'percentile':
    case 'heatmap':
      return { exact: false, errorMax: HISTOGRAM_ERROR_MAX }
    case 'distinct': {
      const error = standardError(registers)
      const sampled = isSampled ? '; at least so many: rows were sampled and values are not re-weighted' : ''
      return { exact: false, errorMax: 3 * error, note: `standard error ${(error * 100).toFixed(1)} %, of few by one or two${sampled}` }
    }
    default:
      return { exact: true, errorMax: 0 }
  }
}
