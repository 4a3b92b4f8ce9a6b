import type { Evidence } from '../../core/deploy/queries.ts'
import { formatShare } from '../../core/kernel/units.ts'
import type { View } from '../terminal.ts'
import { paint } from './style.ts'
import { fields } from './table.ts'

/** The numbers of a verdict for people. Logs come as milli-nats (1000·ln E). */

/** `E 312` from its logarithm; large and small ones as powers of ten. */
export function eText(milliNats: number): string {
  const log10 = milliNats / 1000 / Math.LN10
  if (log10 < -9) return '0'
  if (Math.abs(log10) > 4) return `1e${log10.toFixed(1)}`
  const value = 10 ** log10
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(2)))
}

/** Failing units of an arm: `4 of 112 (3.57 %)`. */
export function rateText(failing: number, units: number): string {
  return `${failing} of ${units} (${units === 0 ? '–' : `${Number(((100 * failing) / units).toFixed(2))} %`})`
}

/** How many times as often the canary fails; null when the control never failed. */
export function ratioOf(evidence: Evidence): number | null {
  if (evidence.unitsCanary === 0 || evidence.unitsControl === 0 || evidence.failingControl === 0) return null
  return evidence.failingCanary / evidence.unitsCanary / (evidence.failingControl / evidence.unitsControl)
}

export function ratioText(evidence: Evidence): string {
  const ratio = ratioOf(evidence)
  if (ratio !== null) return `×${Number(ratio.toPrecision(2))}`
  return evidence.failingCanary > 0 ? '×∞' : '–'
}

const BAR = 24
/** decades of E left and right of 1 that the bar shows, beside the line */
const LOW_DECADES = 1

/**
 * A bar of E on a log scale: marks at 1 and at the line (1/α), filled up to E. `━━━━━━┿━━━────╂──`
 * @param milliNats 1000·ln E, and of the line
 */
export function evidenceBar(view: View, milliNats: number, line: number, width = BAR): string {
  const top = (line / 1000 / Math.LN10) * 1.25
  const at = (value: number): number => Math.round(((value / 1000 / Math.LN10 + LOW_DECADES) / (top + LOW_DECADES)) * (width - 1))
  const here = Math.min(width - 1, Math.max(0, at(milliNats)))
  const cells = Array.from({ length: width }, (_, i) => {
    if (i === at(0)) return i <= here ? '┿' : '┼'
    if (i === at(line)) return i <= here ? '╋' : '╂'
    return i <= here ? '━' : '─'
  }).join('')
  return paint(view, milliNats >= line ? 'red' : milliNats > line / 2 ? 'yellow' : 'green', cells)
}

export function renderEvidence(evidence: Evidence, view: View): string {
  const { harm, gate, srm } = evidence
  const open = (isOpen: boolean): string => (isOpen ? 'open' : 'not yet')
  const latency = evidence.latencyMs
    .map((one) => `p${Number((one.quantile * 100).toFixed(1))} ${one.canary ?? '–'} against ${one.control ?? '–'} ms`)
    .join(', ')
  const refused = Object.entries(evidence.refused)
    .map(([why, n]) => `${n} ${why}`)
    .join(', ')
  return fields(view, [
    ['canary', `${rateText(evidence.failingCanary, evidence.unitsCanary)} failed, ${formatShare(evidence.sharePpm)} of the users`],
    ['control', `${rateText(evidence.failingControl, evidence.unitsControl)} failed`],
    ['ratio', `${ratioText(evidence)}, tolerated ×${(1 + evidence.tolerancePpm / 1e6).toFixed(2)}`],
    ['latency', latency],
    ['harm', `E ${eText(harm.total)} of ${eText(harm.line)} (errors ${eText(harm.errors)}, latency ${eText(harm.latency)})`],
    ['crossed', evidence.crossedAtMs === null ? null : `${evidence.crossedMetric} at ${new Date(evidence.crossedAtMs).toISOString()}`],
    [
      'gate',
      `errors ${open(gate.isOpen.errors)} (E ${eText(gate.errors)} of ${eText(gate.line)}: below ×${gate.ratio}, or below ${formatShare(gate.floorPpm)}), latency ${open(gate.isOpen.latency)} (E ${eText(gate.latency)})`,
    ],
    ['sample', `E ${eText(srm.value)} of ${eText(srm.line)} that the canary gets less than it was sent`],
    [
      'data',
      `${evidence.windows} windows, ${new Date(evidence.dataFromMs).toISOString()} to ${new Date(evidence.dataToMs).toISOString()}${refused === '' ? '' : `, refused: ${refused}`}`,
    ],
  ])
}
