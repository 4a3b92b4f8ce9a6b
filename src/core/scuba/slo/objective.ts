import { canonicalJson } from '../../kernel/json.ts'
import { hashText } from '../../kernel/hash.ts'
import { formatDuration, parseDuration } from '../../kernel/units.ts'
import { quoteName, quoteText } from '../names.ts'
import { objectiveName, parseErrorRate, parseLatency, parsePercent, type ObjectiveText, type SloFile } from './file.ts'
import { ERROR_RATIO_MAX, tiersOf, type Tier } from './tiers.ts'

/** One objective as good events over all events: what is measured, what is aimed at, when it burns. */
export interface Objective {
  service: string
  name: string
  kind: 'availability' | 'latency' | 'error-rate'
  /** share of good events, 0 to 1 */
  target: number
  /** as people say it: `99.95 %`, `p99 ≤ 200ms`, `< 0.1 %` */
  text: string
  table: string
  /** SQL condition: the events that count */
  where: string
  /** SQL condition: those of them that are good */
  good: string
  /** of a latency objective */
  latency: { quantile: number; limitMs: number; column: string } | null
  /** good events are those with status < 500 and nothing else: the live aggregate of `requests` has them */
  isLive: boolean
  /** names what is measured: two objectives that measure the same share their history, whatever they aim at */
  hash: string
  tiers: Tier[]
}

/** Rolling, or from the first of the month in a zone. */
export type Window = { kind: 'rolling'; ms: number } | { kind: 'month'; timezone: string }

export interface CompiledSlo {
  file: SloFile
  window: Window
  objectives: Objective[]
}

const DEFAULT_BAD = 'status >= 500'
const DEFAULT_GOOD = 'status < 500'

/** The file with its texts read. @param file one that its schema has passed */
export function compileSlo(file: SloFile): CompiledSlo {
  const window: Window =
    file.window === 'month' ? { kind: 'month', timezone: file.timezone } : { kind: 'rolling', ms: parseDuration(file.window) ?? 0 }
  return { file, window, objectives: file.objectives.map((text) => compileObjective(file, text)) }
}

/** `30 d`, or `month (Europe/Berlin)`. */
export function windowText(window: Window): string {
  return window.kind === 'month' ? `month (${window.timezone})` : `${window.ms / 86_400_000} d`
}

function compileObjective(file: SloFile, text: ObjectiveText): Objective {
  const { service, table } = file
  const ofService = file.where ?? `service = ${quoteText(service)}`
  const where = text.where === undefined ? ofService : `(${ofService}) and (${text.where})`
  const measured = measureOf(text)
  const isLive =
    table === 'requests' && file.where === undefined && text.where === undefined && measured.good.replaceAll(/\s/g, '') === 'status<500'
  return {
    service,
    name: objectiveName(text),
    table,
    where,
    ...measured,
    isLive,
    hash: hashText(canonicalJson([table, where, measured.good]))
      .toString(16)
      .padStart(8, '0'),
    tiers: tiersOf(measured.target),
  }
}

function measureOf(text: ObjectiveText): Pick<Objective, 'kind' | 'target' | 'text' | 'good' | 'latency'> {
  if (text.latency !== undefined) {
    const { quantile, limitMs } = parseLatency(text.latency) ?? { quantile: 0.99, limitMs: 1000 }
    const column = text.column ?? 'latency_ms'
    return {
      kind: 'latency',
      target: quantile,
      text: `p${Number((quantile * 100).toFixed(3))} ≤ ${formatDuration(limitMs)}`,
      good: `${quoteName(column)} <= ${limitMs}`,
      latency: { quantile, limitMs, column },
    }
  }
  if (text.error_rate !== undefined) {
    const share = parseErrorRate(text.error_rate) ?? 0.001
    const bad = text.bad ?? DEFAULT_BAD
    return {
      kind: 'error-rate',
      target: Number((1 - share).toFixed(9)),
      text: `< ${percent(share)}`,
      good: bad.replaceAll(/\s/g, '') === 'status>=500' ? DEFAULT_GOOD : `not coalesce((${bad}\n), false)`,
      latency: null,
    }
  }
  const target = parsePercent(text.availability ?? '') ?? 0.999
  return { kind: 'availability', target, text: percent(target), good: text.good ?? DEFAULT_GOOD, latency: null }
}

/** 0.9995 → `99.95 %`. */
export function percent(share: number, digits = 4): string {
  return `${Number((share * 100).toFixed(digits))} %`
}

/** A line for each objective with tiers whose thresholds had to be lowered. */
export function clampNotes(file: SloFile): string[] {
  return compileSlo(file).objectives.flatMap(({ service, name, text, tiers }) => {
    const clamped = tiers.filter(({ isClamped }) => isClamped).map((tier) => tier.name)
    return clamped.length === 0
      ? []
      : [
          `${service} ${name} ${text}: tier ${clamped.join(', ')} could hardly be reached and fires above ${percent(ERROR_RATIO_MAX)} of errors instead`,
        ]
  })
}
