import type { HistoryView, RolloutView } from '../../core/deploy/queries.ts'
import { formatDuration, formatShare } from '../../core/kernel/units.ts'
import type { View } from '../terminal.ts'
import { mark, paint, type Mark } from './style.ts'
import { fields, table } from './table.ts'

/** Rollouts for people: `deploy status`, `history`, and the answer of every command that steers one. */

const MARKS: Record<string, Mark> = {
  queued: 'off',
  preparing: 'busy',
  stepping: 'busy',
  baking: 'busy',
  held: 'warn',
  'rolling-back': 'bad',
  succeeded: 'ok',
  'rolled-back': 'bad',
  superseded: 'off',
  expired: 'off',
}

/** The state in one glyph and words: `◐ stepping 2/3, judging`. */
export function stateText(view: View, rollout: RolloutView): string {
  const at = rollout.step >= 0 && rollout.endedAtMs === null ? ` ${rollout.step + 1}/${rollout.steps.length}` : ''
  const detail = rollout.isStuck
    ? ', stuck'
    : rollout.heldCause !== null
      ? `, ${rollout.heldCause}`
      : rollout.phase !== null && rollout.state !== 'baking'
        ? `, ${rollout.phase}`
        : ''
  return mark(view, rollout.isStuck ? 'bad' : (MARKS[rollout.state] ?? 'off'), `${rollout.state}${at}${detail}`)
}

export interface StatusLike {
  rollouts: RolloutView[]
  halts: { scope: string; reason: string; author: string; atMs: number }[]
}

export function renderStatus(data: StatusLike, view: View): string {
  const halts = data.halts.map((halt) =>
    paint(
      view,
      'yellow',
      `▲ ${halt.scope === '*' ? 'all rollouts' : `rollouts of ${halt.scope}`} halted by ${halt.author}: ${halt.reason}`,
    ),
  )
  const rollouts = table(
    view,
    data.rollouts,
    [
      { title: 'rollout', cell: (row) => row.rollout },
      { title: 'service', cell: (row) => row.service },
      { title: 'release', cell: (row) => `${row.fromRelease} → ${row.release}`, canShrink: true },
      { title: 'state', cell: (row, to) => stateText(to, row) },
      { title: 'share', cell: (row) => formatShare(row.sharePpm), align: 'right' },
      { title: 'left', cell: (row) => (row.leftMs === null ? '-' : `≥ ${formatDuration(row.leftMs)}`), align: 'right' },
      { title: 'profile', cell: (row) => row.profile, isWide: true },
      { title: 'by', cell: (row) => row.author, isWide: true },
      { title: 'because', cell: (row) => row.causeText ?? row.heldText ?? '', canShrink: true },
    ],
    'No rollouts yet. Start one with `muster deploy start SERVICE --release PATH`.',
  )
  return [...halts, rollouts].join('\n')
}

/** One rollout after a command steered it. */
export function renderRollout(rollout: RolloutView, view: View): string {
  const next =
    rollout.endedAtMs === null
      ? `Watch it with \`muster deploy watch ${rollout.rollout}\`.`
      : `Read why with \`muster deploy why ${rollout.rollout}\`.`
  return `${rollout.rollout} ${rollout.service}: ${rollout.fromRelease} → ${rollout.release}  ${stateText(view, rollout)}\n${next}`
}

const RELEASE_MARKS: Record<string, Mark> = { good: 'ok', bad: 'bad', new: 'off' }

export function renderHistory(data: HistoryView, view: View, nowMs: number): string {
  const ago = (atMs: number): string => `${formatDuration(Math.max(0, nowMs - atMs))} ago`
  const releases = table(view, data.releases, [
    { title: 'release', cell: (row) => row.release },
    { title: 'version', cell: (row) => `v${row.version}` },
    { title: 'state', cell: (row, to) => mark(to, RELEASE_MARKS[row.state] ?? 'off', row.state) },
    { title: 'from', cell: (row) => row.label, canShrink: true },
    { title: 'made', cell: (row) => ago(row.atMs), align: 'right' },
    { title: 'by', cell: (row) => row.author },
    { title: 'artifact', cell: (row) => row.artifact, isWide: true },
    { title: 'why', cell: (row) => row.why, canShrink: true },
  ])
  const rollouts = table(
    view,
    data.rollouts,
    [
      { title: 'rollout', cell: (row) => row.rollout },
      { title: 'kind', cell: (row) => row.kind },
      { title: 'release', cell: (row) => `${row.fromRelease} → ${row.release}` },
      { title: 'outcome', cell: (row, to) => stateText(to, row) },
      { title: 'reached', cell: (row) => reached(row), align: 'right' },
      { title: 'took', cell: (row) => formatDuration((row.endedAtMs ?? nowMs) - row.atMs), align: 'right' },
      { title: 'started', cell: (row) => ago(row.atMs), align: 'right' },
      { title: 'by', cell: (row) => row.author },
      { title: 'because', cell: (row) => row.causeText ?? row.reason, canShrink: true },
    ],
    'No rollouts yet.',
  )
  return `${releases}\n\n${rollouts}`
}

/** Highest share a rollout had. */
function reached(rollout: RolloutView): string {
  const highest = rollout.steps.filter((step) => step.enteredAtMs !== null).at(-1)
  return highest ? formatShare(highest.sharePpm) : '0 %'
}

export function renderHalts(halts: StatusLike['halts'], view: View): string {
  if (halts.length === 0) return 'Nothing is halted.'
  return fields(
    view,
    halts.map((halt) => [halt.scope === '*' ? 'all' : halt.scope, `halted by ${halt.author}: ${halt.reason}`] as const),
  )
}
