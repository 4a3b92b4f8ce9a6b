import { formatDuration } from '../../core/kernel/units.ts'
import { clockText } from '../../core/sev/schedule/calendar.ts'
import type { ConsoleView, IncidentView } from '../../core/sev/views.ts'
import type { View } from '../terminal.ts'
import { paint, type Color } from './style.ts'
import { textWidth, truncate } from './text.ts'

/**
 * The paging console as lines of spans: the TUI and its plain twin draw the same ones. It answers in this order: is it
 * real and how bad, is it mine and how long have I, what changed, what was tried, what is safe to do next, who was told.
 */

export interface Piece {
  text: string
  color?: Color
}
export type Line = Piece[]

export type Panel =
  | { kind: 'main' }
  | { kind: 'timeline' | 'changed' | 'help' }
  /** a number or a key asked for something: the plan is shown, `command` does it */
  | { kind: 'plan'; title: string; lines: string[]; command: string; canRun: boolean }
  | { kind: 'note' | 'level'; text: string }

/** What the screen knows beside the data: never changed by a refresh. */
export interface ConsoleUi {
  context: string
  focus: number | null
  /** log time now, ms */
  now: number
  panel: Panel
  notice: string
  /** until when an acknowledgement of the focused incident can be taken back; 0: not */
  undoUntilMs: number
  /** since when the server has not answered; null: it does */
  offlineSinceMs: number | null
  isReadOnly: boolean
  rows: number
  columns: number
}

/** Data older than this is dimmed and says so. */
export const STALE_MS = 15_000

const span = (text: string, color?: Color): Piece => (color === undefined ? { text } : { text, color })

const whole = (ms: number): string => (ms < 1000 ? '0s' : formatDuration(Math.floor(ms / 1000) * 1000))

/** `1:48`. */
const clock = (ms: number): string => `${Math.floor(ms / 60_000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, '0')}`

const city = (zone: string): string => (zone.split('/').at(-1) ?? zone).slice(0, 3).toUpperCase()

function header(data: ConsoleView, ui: ConsoleUi): Line {
  const isStale = ui.now - data.now > STALE_MS || ui.offlineSinceMs !== null
  const sentAge = data.pager.lastSentAt === null ? '' : ` ${whole(ui.now - data.pager.lastSentAt)}`
  const shift = ui.now - data.now
  return [
    span(`muster sev ${ui.context} `, 'bold'),
    isStale
      ? span(`○ offline since ${clockText(ui.offlineSinceMs ?? data.now, true)}Z `, 'red')
      : data.pager.isOk
        ? span(`● pager ok${sentAge} `, 'green')
        : span(`✖ pager in trouble${sentAge} `, 'red'),
    ...data.pager.channels.map((channel) => span(`${channel.channel}${channel.isOk ? '✓' : '✗'} `, channel.isOk ? 'dim' : 'red')),
    ...(data.timeZone === 'UTC' ? [] : [span(`${clockText(data.wallMs + shift)} ${city(data.timeZone)} `)]),
    span(`${clockText(ui.now)}Z `),
    span(`${data.person}: ${data.isOnCall ? 'PRIMARY' : 'not on call'}`, data.isOnCall ? 'yellow' : 'dim'),
    ...(ui.isReadOnly ? [span(' read-only', 'dim')] : []),
  ]
}

function ackSpan(row: IncidentView, now: number): Piece {
  if (row.state === 'mitigated') return span(`mitigated, acked by ${row.ackedBy ?? '?'}`, 'green')
  if (row.state === 'acked') return span(`acked by ${row.ackedBy ?? '?'}`, 'green')
  if (row.ackDueAt === null) return span('no answer due', 'dim')
  const leftMs = row.ackDueAt - now
  const then =
    row.nextStep === null
      ? ''
      : ` → then ${row.nextStep}${row.nextStepAt === null ? '' : ` in ${clock(Math.max(0, row.nextStepAt - now))}`}`
  return leftMs >= 0 ? span(`ACK IN ${clock(leftMs)}${then}`, 'yellow') : span(`ACK LATE ${clock(-leftMs)}${then}`, 'red')
}

function focusLines(data: ConsoleView, row: IncidentView, ui: ConsoleUi): Line[] {
  const details = data.details.find((candidate) => candidate.number === row.number)
  const label = (text: string): Piece => span(`  ${text.padEnd(9)}`, 'dim')
  const changed = details?.changed ?? []
  return [
    [
      span(row.level <= 2 ? '▲ ' : '△ ', row.level <= 2 ? 'red' : 'yellow'),
      span(`SEV${row.level} #${row.number} `, row.level <= 2 ? 'red' : 'yellow'),
      span(row.title, 'bold'),
    ],
    [
      label('STATE'),
      span(`${row.state} ${whole(ui.now - row.openedAt)}   `),
      ackSpan(row, ui.now),
      ...(row.mitigatedAt !== null && row.state === 'open' ? [span('  mitigated', 'green')] : []),
    ],
    [
      label('WHAT'),
      span(
        `${row.service ?? 'fleet'} · ${row.alertCount === 0 ? 'declared by a person' : `${row.firingCount} of ${row.alertCount} alerts firing → 1 · by ${row.source}`}${row.duringRun === null ? '' : ` · during chaos run ${row.duringRun}`}`,
      ),
    ],
    ...(details?.alerts
      .slice(0, 1)
      .map((alert): Line => [label('ALERT'), span(`${alert.summary} (${alert.count}×, ${whole(ui.now - alert.lastAt)} ago)`)]) ?? []),
    ...(changed.length === 0
      ? [[label('CHANGED'), span('nothing in the hour before')] as Line]
      : changed
          .slice(0, 2)
          .map((change, i): Line => [label(i === 0 ? 'CHANGED' : ''), span(`-${whole(row.openedAt - change.at)} ${change.text}`)])),
    [
      label('CHAOS'),
      span(details && details.chaos.length > 0 ? details.chaos.join(', ') : 'none', details && details.chaos.length > 0 ? 'yellow' : 'dim'),
    ],
    [label('TRIED'), span(details?.tried.at(-1) ?? 'nothing yet')],
    [label('DO NEXT'), span((details?.doNext ?? []).map((item, i) => `${i + 1} ${item.text}`).join('  '), 'cyan')],
    [label('PAGING'), span(row.paging.length === 0 ? 'nobody' : row.paging.join(', '), row.paging.length === 0 ? 'dim' : 'yellow')],
  ]
}

function othersLine(data: ConsoleView, focus: number | null, ui: ConsoleUi): Line {
  const others = data.incidents.filter((row) => row.number !== focus)
  const counts = [1, 2, 3, 4].flatMap((level) => {
    const n = others.filter((row) => row.level === level).length
    return n === 0 ? [] : [`${n} SEV${level}`]
  })
  const acked = others.filter((row) => row.state !== 'open').length
  const shift =
    data.shiftUntilMs === null
      ? ''
      : ` · your shift ends in ${whole(data.shiftUntilMs - ui.now)}${data.shiftThen === null ? '' : ` → ${data.shiftThen}`}`
  return [span(`── others: ${counts.join(' · ') || 'none'}${acked > 0 ? ` · ${acked} acked` : ''}${shift} ──`, 'dim')]
}

function otherRows(data: ConsoleView, ui: ConsoleUi, max: number): Line[] {
  const others = data.incidents.filter((row) => row.number !== ui.focus)
  const shown = others.slice(0, others.length > max ? max - 1 : max)
  const lines = shown.map((row): Line => [
    span(`  SEV${row.level} #${row.number} `, row.level <= 2 ? 'red' : 'yellow'),
    span(`${row.state.padEnd(9)} ${whole(ui.now - row.openedAt).padStart(7)}  ${row.service ?? 'fleet'}  ${row.title}`),
  ])
  if (others.length > shown.length) lines.push([span(`  … and ${others.length - shown.length} more`, 'dim')])
  return lines
}

/** The incident in focus: the one chosen, else the most urgent. A chosen one that is over shows nothing else in its place. */
export function focusOf(data: ConsoleView, focus: number | null): IncidentView | null {
  if (focus === null) return data.incidents[0] ?? null
  return data.incidents.find((row) => row.number === focus) ?? null
}

function hints(data: ConsoleView, ui: ConsoleUi): string {
  if (ui.panel.kind === 'note') return 'Enter writes it · Esc leaves'
  if (ui.panel.kind === 'level') return '1 2 3 4 the level, then Enter · Esc leaves'
  if (ui.panel.kind === 'plan') return `${ui.panel.canRun && !ui.isReadOnly ? 'y does it · ' : ''}Esc leaves, nothing was done`
  if (ui.panel.kind !== 'main') return 'Esc back · q quit'
  const row = focusOf(data, ui.focus)
  const acts =
    ui.isReadOnly || !row
      ? []
      : [
          ...(row.state === 'open' ? ['a ack'] : []),
          ...(ui.undoUntilMs > ui.now ? [`u undo ${Math.ceil((ui.undoUntilMs - ui.now) / 1000)}s`] : []),
          'e escalate',
          'n note',
          's level',
        ]
  const keys = [
    ...acts,
    ...(row ? ['d changed', 't timeline'] : []),
    ...(data.incidents.length > 1 ? ['Tab next'] : []),
    '? help',
    'q quit',
  ]
  const roomy = keys.join('  ')
  return textWidth(roomy) <= ui.columns ? roomy : keys.join(' ')
}

const HELP: [string, string][] = [
  ['a', 'acknowledge, no question asked'],
  ['u', 'take it back, for 10 s, as if it had not been pressed'],
  ['A', 'acknowledge everything you are paged for'],
  ['e', 'ask the next step: shows the plan first'],
  ['1 … 4', 'show the plan of a next act; it never acts'],
  ['n', 'write a note'],
  ['s', 'change the level'],
  ['d  t', 'what changed before · the timeline'],
  ['Tab', 'the next incident; the screen never moves by itself'],
  ['q  Esc', 'leave; never acknowledges'],
]

function panelLines(data: ConsoleView, ui: ConsoleUi, max: number): Line[] | null {
  const details = data.details.find((candidate) => candidate.number === focusOf(data, ui.focus)?.number)
  switch (ui.panel.kind) {
    case 'main':
      return null
    case 'timeline':
      return (details?.timeline ?? [])
        .slice(-max)
        .map((row): Line => [span(`  ${clockText(row.at, true)}Z `, 'dim'), span(`${row.kind.padEnd(11)} `, 'cyan'), span(row.text)])
    case 'changed':
      return (details?.changed ?? [])
        .slice(0, max)
        .map((row): Line => [span(`  ${clockText(row.at, true)}Z `, 'dim'), span(`${row.kind.padEnd(11)} `, 'cyan'), span(row.text)])
    case 'help':
      return HELP.map(([key, text]): Line => [span(`  ${key.padEnd(8)}`, 'bold'), span(text)])
    case 'plan':
      return [
        [span(`  ${ui.panel.title}`, 'bold')],
        ...ui.panel.lines.map((text): Line => [span(`  ${text}`)]),
        [span('')],
        [span('  $ ', 'dim'), span(ui.panel.command, 'cyan')],
      ]
    case 'note':
      return [[span('  note  ', 'bold'), span(`${ui.panel.text}▏`)]]
    case 'level':
      return [[span('  level ', 'bold'), span(`${ui.panel.text}▏`)]]
  }
}

/** The whole screen, at most `rows` lines of `columns`. */
export function consoleLines(data: ConsoleView, ui: ConsoleUi): Line[] {
  const row = focusOf(data, ui.focus)
  const lines: Line[] = [header(data, ui), [span('')]]
  if (row) lines.push(...focusLines(data, row, ui))
  else
    lines.push(
      [span(ui.focus === null ? '● no incident is open' : `● #${ui.focus} is over`, 'green')],
      [span(ui.focus === null ? '' : '  Tab shows the next one.', 'dim')],
    )
  lines.push(othersLine(data, row?.number ?? null, ui))
  const room = Math.max(0, ui.rows - lines.length - 3)
  const panel = panelLines(data, ui, room)
  lines.push(...(panel ?? otherRows(data, { ...ui, focus: row?.number ?? null }, room)).slice(0, room))
  while (lines.length < ui.rows - 2) lines.push([span('')])
  lines.push([span(ui.notice, 'cyan')], [span(hints(data, ui), 'dim')])
  const isStale = ui.now - data.now > STALE_MS || ui.offlineSinceMs !== null
  return lines.map((line, i) =>
    fit(isStale && i > 0 && i < lines.length - 2 ? line.map((piece) => span(piece.text, 'dim')) : line, ui.columns),
  )
}

function fit(line: Line, columns: number): Line {
  const out: Line = []
  let left = columns
  for (const piece of line) {
    if (left <= 0) break
    const text = truncate(piece.text, left)
    out.push({ ...piece, text })
    left -= textWidth(text)
  }
  return out
}

/** The plain twin: the same lines, whole, without keys. */
export function renderConsole(data: ConsoleView, view: View, context: string): string {
  const ui: ConsoleUi = {
    context,
    focus: null,
    now: data.now,
    panel: { kind: 'main' },
    notice: '',
    undoUntilMs: 0,
    offlineSinceMs: null,
    isReadOnly: true,
    rows: 1000,
    columns: view.width ?? 10_000,
  }
  const lines = consoleLines(data, ui).slice(0, -2)
  return lines
    .map((line) =>
      line
        .map((piece) => (piece.color === undefined ? piece.text : paint(view, piece.color, piece.text)))
        .join('')
        .trimEnd(),
    )
    .join('\n')
    .trimEnd()
}
