import type { WatchView } from '../../core/deploy/queries.ts'
import { formatDuration, formatShare } from '../../core/kernel/units.ts'
import type { View } from '../terminal.ts'
import { eText, evidenceBar, rateText, ratioText } from './deploy-evidence.ts'
import { stateText } from './deploy.ts'
import { mark, paint, type Mark } from './style.ts'
import { fields } from './table.ts'

/** Pieces that the screen and its plain twin share, so that both say the same. */

const STEP_MARKS: Record<string, Mark> = { waiting: 'off', active: 'busy', done: 'ok', failed: 'bad' }

export type WatchedStep = WatchView['rollout']['steps'][number]

/** `● 5 %  12s`: one rung of the ladder. */
export function stepText(view: View, step: WatchedStep, nowMs: number): string {
  const took =
    step.enteredAtMs === null ? `≥ ${formatDuration(step.minimumMs)}` : formatDuration((step.endedAtMs ?? nowMs) - step.enteredAtMs)
  const verdict = step.verdict === null ? '' : ` ${step.verdict}`
  return `${mark(view, STEP_MARKS[step.state] ?? 'off', formatShare(step.sharePpm).padEnd(7))} ${took}${verdict}`
}

/** The split as a bar: `▓▓░░░░░░░░  25 % canary`. */
export function splitBar(view: View, sharePpm: number, width: number): string {
  const canary = sharePpm === 0 ? 0 : Math.max(1, Math.round((sharePpm / 1e6) * width))
  return `${paint(view, 'cyan', '▓'.repeat(canary))}${paint(view, 'dim', '░'.repeat(width - canary))}`
}

export interface MetricLine {
  name: string
  canary: string
  control: string
  ratio: string
  /** 1000·ln E and its line */
  e: number
  line: number
  isOpen: boolean
}

/** Canary against control, a line a metric. */
export function metricLines(data: WatchView): MetricLine[] {
  const { evidence } = data
  if (evidence === null) return []
  const p90 = evidence.latencyMs.find((one) => one.quantile === 0.9)
  const slower =
    p90?.canary != null && p90.control != null && p90.control > 0 ? `×${Number((p90.canary / p90.control).toPrecision(2))}` : '–'
  // The mean of two metrics reaches 1/α when one alone reaches 2/α.
  const line = evidence.harm.line + Math.round(1000 * Math.LN2)
  return [
    {
      name: 'errors',
      canary: rateText(evidence.failingCanary, evidence.unitsCanary),
      control: rateText(evidence.failingControl, evidence.unitsControl),
      ratio: ratioText(evidence),
      e: evidence.harm.errors,
      line,
      isOpen: evidence.gate.isOpen.errors,
    },
    {
      name: 'latency p90',
      canary: `${p90?.canary ?? '–'} ms`,
      control: `${p90?.control ?? '–'} ms`,
      ratio: slower,
      e: evidence.harm.latency,
      line,
      isOpen: evidence.gate.isOpen.latency,
    },
  ]
}

export function leftText(data: WatchView): string {
  const { rollout } = data
  if (rollout.endedAtMs !== null) return `ended after ${formatDuration(rollout.endedAtMs - rollout.atMs)}`
  if (rollout.leftMs !== null) return `≥ ${formatDuration(rollout.leftMs)} left`
  return rollout.deadlineMs === null ? 'waiting' : `goes home in ${formatDuration(Math.max(0, rollout.deadlineMs - data.nowMs))}`
}

export function breakerText(view: View, data: WatchView): string {
  const { breaker } = data
  if (breaker.state === 'tripped') return mark(view, 'bad', `tripped: ${breaker.text}`)
  if (breaker.state === 'no-data') return mark(view, 'off', 'no data')
  return mark(view, 'ok', `closed, ${breaker.canaryFailing} of ${breaker.canaryUnits} failing in 5 s`)
}

export function sampleText(view: View, data: WatchView): string {
  const { evidence } = data
  if (evidence === null) return mark(view, 'off', 'no data')
  const isBroken = evidence.srm.value >= evidence.srm.line
  return mark(
    view,
    isBroken ? 'bad' : 'ok',
    `${evidence.unitsCanary} of ${evidence.unitsCanary + evidence.unitsControl} requests (E ${eText(evidence.srm.value)})`,
  )
}

/** The whole picture as plain lines: what `deploy watch` prints off a terminal. */
export function renderWatch(data: WatchView, view: View): string {
  const { rollout } = data
  const metrics = metricLines(data).map(
    (one) =>
      [
        one.name,
        `${one.canary} against ${one.control} ${one.ratio}  ${evidenceBar(view, one.e, one.line)} E ${eText(one.e)} of ${eText(one.line)}, gate ${one.isOpen ? 'open' : 'closed'}`,
      ] as const,
  )
  return fields(view, [
    ['rollout', `${rollout.rollout} ${rollout.service}: ${rollout.fromRelease} → ${rollout.release} (profile ${rollout.profile})`],
    ['state', `${stateText(view, rollout)}, ${leftText(data)}`],
    ['because', rollout.causeText ?? rollout.heldText],
    ['steps', rollout.steps.map((step) => stepText(view, step, data.nowMs)).join('  ')],
    [
      'split',
      `${splitBar(view, rollout.sharePpm, 30)} ${formatShare(rollout.sharePpm)} canary${rollout.isApplied || rollout.endedAtMs !== null ? '' : ' (not acknowledged by every proxy yet)'}`,
    ],
    ...metrics,
    ['sample', sampleText(view, data)],
    ['breaker', breakerText(view, data)],
    ['judge', data.verdict === null ? null : `${data.verdict} (${data.verdictReason})${data.isLive ? '' : ', logged'}`],
  ])
}

/** One plain line for an event, for logs: `12:01:07 step     step 1: 5 %`. */
export function eventText(event: WatchView['events'][number]): string {
  return `${new Date(event.atMs).toISOString().slice(11, 19)} ${event.kind.padEnd(11)} ${event.text}`
}
