import { formatDuration, formatShare } from '../../core/kernel/units.ts'
import type { RunView } from '../../core/chaos/views.ts'
import type { View } from '../terminal.ts'
import { mark, type Mark } from './style.ts'
import { fields, table } from './table.ts'

const VERDICT_MARK: Record<string, Mark> = { held: 'ok', deviated: 'bad', inconclusive: 'warn', 'not-run': 'off' }

export function runState(view: View, run: RunView): string {
  if (run.verdict !== null) return mark(view, VERDICT_MARK[run.verdict] ?? 'warn', run.verdict)
  return mark(view, run.state === 'aborting' ? 'warn' : 'busy', run.state)
}

export function renderRuns(view: View, runs: readonly RunView[]): string {
  return table(
    view,
    runs,
    [
      { title: 'run', cell: (run) => run.run },
      { title: 'state', cell: (run) => runState(view, run) },
      { title: 'service', cell: (run) => run.service },
      { title: 'faults', cell: (run) => run.faults.filter(({ state }) => state === 'armed').length, align: 'right' },
      { title: 'effect', cell: (run) => run.effect, align: 'right' },
      { title: 'title', cell: (run) => run.title, canShrink: true },
      { title: 'reason', cell: (run) => run.reason, canShrink: true },
    ],
    'No run is under way.',
  )
}

export function renderFaults(view: View, run: RunView): string {
  return table(
    view,
    run.faults,
    [
      { title: 'fault', cell: (fault) => fault.fault },
      { title: 'on', cell: (fault) => fault.on },
      { title: 'node', cell: (fault) => fault.node },
      {
        title: 'state',
        cell: (fault) =>
          mark(
            view,
            fault.state === 'leaked' ? 'bad' : fault.state === 'failed' ? 'warn' : fault.state === 'armed' ? 'busy' : 'ok',
            fault.state,
          ),
      },
      { title: 'effect', cell: (fault) => fault.effect, align: 'right' },
      { title: 'message', cell: (fault) => fault.message, canShrink: true },
    ],
    'Nothing was broken.',
  )
}

export function renderRun(view: View, run: RunView): string {
  const { radius } = run.plan
  const head = fields(view, [
    ['run', run.run],
    ['title', run.title],
    ['state', runState(view, run)],
    ['reason', run.reason === '' ? null : run.reason],
    ['service', run.service],
    [
      'radius',
      `${radius.tasks} of ${radius.serving} tasks (cap ${radius.tasksMax}), ${formatShare(radius.usersPpm)} of users (cap ${formatShare(radius.usersMaxPpm)})`,
    ],
    ['effect', run.effect],
    ['recovery', run.recoveryMs === null ? null : formatDuration(run.recoveryMs)],
  ])
  const checks =
    run.checks.length === 0
      ? []
      : [
          '',
          table(view, run.checks, [
            { title: 'check', cell: (check) => check.name },
            { title: 'kind', cell: (check) => check.kind },
            { title: 'lowest', cell: (check) => number(check.lowest), align: 'right' },
            { title: 'highest', cell: (check) => number(check.highest), align: 'right' },
            { title: 'last', cell: (check) => number(check.last), align: 'right' },
          ]),
        ]
  return [head, '', renderFaults(view, run), ...checks].join('\n')
}

function number(value: number | null): string {
  return value === null ? '-' : String(Number(value.toPrecision(4)))
}

export interface PlanView {
  title: string
  plan: RunView['plan']
  gates: { gate: string; isOpen: boolean; detail: string }[]
  isAllowed: boolean
}

/** What a run would break, beside its caps, and every gate. */
export function renderPlan(view: View, { title, plan, gates, isAllowed }: PlanView): string {
  const { radius } = plan
  return [
    title,
    '',
    table(view, plan.faults, [
      { title: 'at', cell: (fault) => `+${formatDuration(fault.atMs)}` },
      { title: 'fault', cell: (fault) => fault.fault },
      { title: 'on', cell: (fault) => fault.task?.name ?? fault.service },
      { title: 'node', cell: (fault) => fault.task?.node ?? 'every proxy' },
      { title: 'for', cell: (fault) => formatDuration(fault.durationMs) },
    ]),
    '',
    fields(view, [
      ['tasks', `${radius.tasks} of ${radius.serving}, cap ${radius.tasksMax}`],
      ['users', `at most ${formatShare(radius.usersPpm)}, cap ${formatShare(radius.usersMaxPpm)}`],
      ['watched for', formatDuration(plan.observeMs)],
    ]),
    '',
    ...gates.map(({ gate, isOpen, detail }) => `${mark(view, isOpen ? 'ok' : 'bad', gate)}: ${detail}`),
    '',
    isAllowed ? 'It may run now.' : 'It may not run now.',
  ].join('\n')
}

export interface ReportView extends RunView {
  hypothesis: string
  events: { position: number; atMs: number; actor: string; text: string }[]
}

/** The record of a run as Markdown, every line with its log position. */
export function renderReport(run: ReportView): string {
  const time = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').replace('Z', '')
  return [
    `# ${run.title}`,
    '',
    `Run ${run.run}, document ${run.digest}, by ${run.author}. Verdict: **${run.verdict ?? run.state}**${run.reason === '' ? '' : ` (${run.reason})`}.`,
    '',
    `Hypothesis: ${run.hypothesis}.`,
    '',
    '| check | kind | lowest | highest | last |',
    '|---|---|---|---|---|',
    ...run.checks.map(
      (check) => `| ${check.name} | ${check.kind} | ${number(check.lowest)} | ${number(check.highest)} | ${number(check.last)} |`,
    ),
    '',
    '| fault | on | node | state | effect |',
    '|---|---|---|---|---|',
    ...run.faults.map((fault) => `| ${fault.fault} | ${fault.on} | ${fault.node ?? 'every proxy'} | ${fault.state} | ${fault.effect} |`),
    '',
    `Took effect ${run.effect} times${run.recoveryMs === null ? '' : `; well again ${formatDuration(run.recoveryMs)} after the undo`}.`,
    '',
    '| position | time (UTC) | who | what |',
    '|---|---|---|---|',
    ...run.events.map((event) => `| ${event.position} | ${time(event.atMs)} | ${event.actor} | ${event.text.replaceAll('|', '\\|')} |`),
  ].join('\n')
}
