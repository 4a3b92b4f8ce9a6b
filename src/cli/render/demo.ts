import { formatDuration } from '../../core/kernel/units.ts'
import type { DemoReport, DemoStep } from '../demo/report.ts'
import type { View } from '../terminal.ts'
import { mark, paint, type Mark } from './style.ts'

const MARKS: Record<DemoStep['state'], Mark> = { waiting: 'off', running: 'busy', ok: 'ok', failed: 'bad', skipped: 'off' }

/** One step as it begins or ends: a line, and below it what was seen. */
export function renderDemoStep(step: DemoStep, view: View): string {
  const took = step.tookMs === null ? '' : paint(view, 'dim', `  ${formatDuration(step.tookMs)}`)
  return [
    `${mark(view, MARKS[step.state], step.state.padEnd(7))}  ${step.title}${took}`,
    ...step.lines.map((line) => `             ${line}`),
  ].join('\n')
}

/** The last line of a demo. */
export function renderDemoReport(report: DemoReport, view: View): string {
  const failed = report.steps.filter((step) => step.state === 'failed').map((step) => step.name)
  const word = report.ok ? mark(view, 'ok', 'every step did what it claims') : mark(view, 'bad', `failed: ${failed.join(', ')}`)
  return `${word} (${formatDuration(report.tookMs)}, profile "${report.profile}", ${report.traffic} requests/s)`
}
