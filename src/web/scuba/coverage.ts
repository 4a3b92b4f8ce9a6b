import type { Coverage, PanelAnswer } from '../../core/scuba/wire-types.ts'
import { ago, count } from '../shell/text.ts'

export interface Badge {
  /** `whole`: all rows are in the answer; `part`: some are missing; `none`: there are no rows */
  kind: 'whole' | 'part' | 'none'
  text: string
  /** what is missing, and how exact the values are, in words */
  notes: string[]
}

interface Answered {
  coverage: Coverage
  rowsScanned: number
  elapsedMs: number
  accuracy?: PanelAnswer['accuracy'] | undefined
}

/** What is said beside every chart: how much of the rows that belong into it is in it, how old the newest is, what it cost. */
export function badgeOf({ coverage, rowsScanned, elapsedMs, accuracy = {} }: Answered, nowMs: number): Badge {
  const notes = [
    ...coverage.missing,
    ...Object.entries(accuracy).flatMap(([calc, { exact, errorMax, note }]) => (exact ? [] : [inexact(calc, errorMax, note)])),
  ]
  const cost = `${count(rowsScanned)} rows, ${elapsedMs < 1 ? '< 1' : elapsedMs < 10 ? elapsedMs.toFixed(1) : Math.round(elapsedMs)} ms`
  if (coverage.hotToMs === null)
    return { kind: coverage.rows < 1 ? 'part' : 'none', text: `${coverage.rows < 1 ? `▲ ${percent(coverage.rows)}, ` : ''}no rows`, notes }
  const kind = coverage.rows < 1 ? 'part' : 'whole'
  return {
    kind,
    text: `${kind === 'part' ? '▲' : '●'} ${percent(coverage.rows)} · newest ${ago(coverage.hotToMs, nowMs)} · ${cost}`,
    notes,
  }
}

function inexact(calc: string, errorMax: number | null, note: string | undefined): string {
  const bound = errorMax === null ? 'not exact' : `within ${Number((errorMax * 100).toPrecision(2))} %`
  return `${calc} is ${bound}${note === undefined ? '' : `: ${note}`}`
}

/** 0.9999 is not 100 %. */
function percent(share: number): string {
  if (share >= 1) return '100 %'
  return `${(Math.floor(share * 1000) / 10).toFixed(1)} %`
}
