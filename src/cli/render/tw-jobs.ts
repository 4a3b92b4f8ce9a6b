import type { ArmStatus, JobStatus, RecurringView } from '../../core/tw/queries.ts'
import type { View } from '../terminal.ts'
import { mark, paint } from './style.ts'
import { fields, table } from './table.ts'
import { tasksText } from './tw-words.ts'

/** `8/8`, and how it stands. */
function healthMark(view: View, status: JobStatus): string {
  const arms = status.groups.flatMap((group) => group.arms)
  const wanted = arms.reduce((sum, arm) => sum + arm.wanted, 0)
  // What has run to its end is as well as what serves.
  const healthy = arms.reduce((sum, arm) => sum + Math.min(arm.healthy + arm.complete, arm.wanted), 0)
  const complete = arms.reduce((sum, arm) => sum + Math.min(arm.complete, arm.wanted), 0)
  if (status.state === 'stopped') return mark(view, 'off', 'stopped')
  if (wanted === 0) return mark(view, 'off', 'no task wanted')
  if (complete === wanted) return mark(view, 'off', `${complete}/${wanted} complete`)
  return mark(view, healthy >= wanted ? 'ok' : healthy === 0 ? 'bad' : 'warn', `${healthy}/${wanted} healthy`)
}

export function renderJobs(view: View, jobs: readonly JobStatus[]): string {
  return table(
    view,
    jobs,
    [
      { title: 'job', cell: (job) => job.job },
      { title: 'kind', cell: (job) => job.kind },
      { title: 'state', cell: (job) => healthMark(view, job) },
      { title: 'version', cell: (job) => `v${job.currentVersion}` },
      { title: 'groups', cell: (job) => job.groups.map((group) => group.group).join(' ') },
      { title: 'services', cell: (job) => job.groups.flatMap((group) => group.service ?? []).join(' ') || '-' },
      { title: 'owner', cell: (job) => job.owner ?? '-' },
    ],
    'No jobs. Make a file with `muster tw init` and run it with `muster tw job run FILE`.',
  )
}

export function renderArms(view: View, status: JobStatus): string {
  type Row = { group: JobStatus['groups'][number]; arm: ArmStatus | null }
  const rows = status.groups.flatMap((group): Row[] =>
    group.arms.length > 0 ? group.arms.map((arm) => ({ group, arm })) : [{ group, arm: null }],
  )
  return table(view, rows, [
    { title: 'group', cell: ({ group }) => group.group },
    { title: 'arm', cell: ({ arm }) => arm?.arm },
    { title: 'version', cell: ({ arm }) => (arm ? `v${arm.version}` : '-') },
    { title: 'wanted', cell: ({ arm }) => arm?.wanted, align: 'right' },
    { title: 'placed', cell: ({ arm }) => arm?.placed, align: 'right' },
    { title: 'healthy', cell: ({ arm }) => arm?.healthy, align: 'right' },
    { title: 'restarts', cell: ({ arm }) => arm?.restarts, align: 'right' },
    { title: 'old', cell: ({ group, arm }) => (arm === null || arm.arm === 'primary' ? group.leftover : ''), align: 'right' },
  ])
}

export interface JobShown {
  status: JobStatus
  release: string | null
  blocked: readonly { group: string; version: number; tasks: readonly string[]; code: string; why: string }[]
  waiting: readonly string[]
  recurring: RecurringView | null
}

export function renderJob(view: View, data: JobShown): string {
  const { status } = data
  const head = fields(view, [
    ['job', status.job],
    ['kind', status.kind],
    ['state', healthMark(view, status)],
    ['version', `v${status.currentVersion}${data.release === null ? '' : ` (${data.release})`}`],
    ['services', status.groups.flatMap((group) => group.service ?? []).join(', ') || null],
    ['owner', status.owner],
  ])
  const parts = [head, '', data.recurring === null ? renderArms(view, status) : renderRecurring(view, data.recurring)]
  const remarks = [...data.blocked.map((it) => mark(view, 'warn', `${tasksText(it.tasks)}: ${it.why} (${it.code})`)), ...data.waiting]
  if (remarks.length > 0) parts.push('', ...remarks)
  return parts.join('\n')
}

/** Minute of a due time, in UTC: `2026-11-29 03:00Z`. */
export function dueText(atMs: number): string {
  return `${new Date(atMs).toISOString().replace('T', ' ').slice(0, 16)}Z`
}

/** `next runs: 2026-11-29 03:00Z, …`. */
export function nextText(nextMs: readonly number[]): string {
  return `next runs: ${nextMs.map(dueText).join(', ')}`
}

/** The clock of a job and its latest runs. */
function renderRecurring(view: View, it: RecurringView): string {
  const head = fields(view, [
    ['runs', it.isPaused ? mark(view, 'off', 'paused') : it.isPeriodic ? 'by the clock' : 'by dispatch'],
    ['next', it.nextMs.map(dueText).join(', ') || null],
    ['queued', it.queuedMs === null ? null : `due at ${dueText(it.queuedMs)}`],
    ['note', it.note],
  ])
  const runs = table(
    view,
    it.runs,
    [
      { title: 'run', cell: (run) => run.run },
      { title: 'cause', cell: (run) => run.cause },
      { title: 'due', cell: (run) => (run.dueMs === null ? '-' : dueText(run.dueMs)) },
      { title: 'started', cell: (run) => new Date(run.startedMs).toISOString().replace('T', ' ').slice(0, 19) },
      {
        title: 'outcome',
        cell: (run) =>
          run.outcome === null
            ? mark(view, 'warn', 'goes on')
            : mark(view, run.outcome === 'complete' ? 'ok' : run.outcome === 'failed' ? 'bad' : 'off', run.outcome),
      },
      {
        title: 'given',
        cell: (run) =>
          Object.entries(run.meta)
            .map(([key, value]) => `${key}=${value}`)
            .join(' ') || '-',
        canShrink: true,
      },
      { title: 'reason', cell: (run) => run.reason, canShrink: true },
    ],
    'No run yet.',
  )
  return `${head}\n\n${runs}`
}

export interface JobVersion {
  version: number
  release: string | null
  reason: string
  author: string
  atMs: number
  isCurrent: boolean
  changes: readonly DocumentChange[] | null
}

export function renderHistory(view: View, versions: readonly JobVersion[]): string {
  const list = table(view, versions, [
    { title: 'version', cell: (it) => `v${it.version}${it.isCurrent ? ' ←' : ''}` },
    { title: 'release', cell: (it) => it.release },
    { title: 'author', cell: (it) => it.author },
    { title: 'time', cell: (it) => new Date(it.atMs).toISOString().replace('T', ' ').slice(0, 19) },
    { title: 'reason', cell: (it) => it.reason, canShrink: true },
  ])
  const diffs = versions.flatMap(({ version, changes }) => (changes === null ? [] : ['', `v${version}`, renderChanges(view, changes)]))
  return [list, ...diffs].join('\n')
}

export interface DocumentChange {
  path: string
  before: string | null
  after: string | null
}

export function renderChanges(view: View, changes: readonly DocumentChange[]): string {
  if (changes.length === 0) return 'Nothing differs.'
  return changes
    .map(({ path, before, after }) => {
      if (before === null) return paint(view, 'green', `+ ${path}: ${after ?? ''}`)
      if (after === null) return paint(view, 'red', `- ${path}: ${before}`)
      return `${paint(view, 'yellow', `~ ${path}`)}: ${paint(view, 'red', before)} → ${paint(view, 'green', after)}`
    })
    .join('\n')
}
