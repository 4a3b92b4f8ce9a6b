import type { ArchiveState } from '../../core/delos/measure/server-page.ts'
import { formatDuration } from '../../core/kernel/units.ts'
import type { EachAnswer } from '../delos/each-server.ts'
import type { View } from '../terminal.ts'
import { mark } from './style.ts'
import { table } from './table.ts'

export interface ArchiveAnswer {
  name: string
  archive: ArchiveState | null
}

export interface TrimRow {
  id: string
  name: string
  by: 'unheard' | 'rows' | 'archive'
  position: number
  durable: number | null
  archived: number | null
  silentMs: number
  isCounted: boolean
}

export interface TrimAnswer {
  name: string
  /** where the log began when it was asked */
  before: number
  head: number
  tail: number
  mayBeginAt: number
  margin: number
  servers: TrimRow[]
}

export function renderArchives(answers: readonly EachAnswer<ArchiveAnswer>[], view: View): string {
  return table(view, answers, [
    { title: 'server', cell: ({ server }) => server },
    { title: 'archive', cell: ({ answer }) => (answer === null ? '-' : (answer.archive?.to ?? 'none')) },
    { title: 'every', cell: ({ answer }) => (answer?.archive == null ? null : formatDuration(answer.archive.everyMs)), align: 'right' },
    { title: 'up to', cell: ({ answer }) => answer?.archive?.archived, align: 'right' },
    {
      title: 'state',
      cell: ({ answer, problem }) => (problem === null ? archiveText(answer?.archive ?? null, view) : mark(view, 'bad', problem.message)),
      canShrink: true,
    },
  ])
}

export function archiveText(archive: ArchiveState | null, view: View): string {
  if (archive === null) return 'not archived'
  const { behind, behindMs, trouble } = archive
  const late = `${behind} positions behind, for ${formatDuration(behindMs)}`
  if (trouble !== null) return mark(view, 'bad', `${late}: ${trouble}`)
  return behind === 0 ? mark(view, 'ok', 'all is archived') : mark(view, behindMs > archive.everyMs * 2 ? 'warn' : 'ok', late)
}

export function renderTrims(answers: readonly EachAnswer<TrimAnswer>[], view: View): string {
  const kept = table(view, answers, [
    { title: 'server', cell: ({ server }) => server },
    { title: 'keeps from', cell: ({ answer }) => answer?.head, align: 'right' },
    { title: 'to', cell: ({ answer }) => (answer === null ? null : answer.tail - 1), align: 'right' },
    { title: 'trimmed', cell: ({ answer }) => (answer === null ? null : answer.head - answer.before), align: 'right' },
    {
      title: 'why no further',
      cell: ({ answer, problem }) =>
        problem === null ? (answer === null ? null : whyNoFurther(answer)) : mark(view, 'bad', problem.message),
      canShrink: true,
    },
  ])
  return kept
}

/** Who needs what is left, and for what. */
export function whyNoFurther({ head, mayBeginAt, margin, servers }: TrimAnswer): string {
  const [least] = servers.filter(({ isCounted }) => isCounted).toSorted((a, b) => a.position - b.position)
  if (least === undefined) return 'it is not known what this server has'
  const silent = least.silentMs > SILENT_MS ? `, silent for ${formatDuration(least.silentMs)}` : ''
  const files = mayBeginAt > head ? `; what is below ${mayBeginAt} goes when all of its file may` : ''
  return `${needText(least, margin)}${silent}${files}`
}

/** Servers say it each second. */
const SILENT_MS = 5000

function needText({ by, name, archived, durable }: TrimRow, margin: number): string {
  if (by === 'unheard') return `${name} has not said yet what it has on its disk`
  if (by === 'archive') return `${name} has archived only up to ${archived}`
  return `the rows of ${name} are on its disk up to ${durable}, and ${margin} positions stay below them`
}
