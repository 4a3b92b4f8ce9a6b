import { formatSize } from '../../core/kernel/units.ts'
import type { LogVerdict } from '../../server/delos/verify-log.ts'
import type { Comparison } from '../delos/compare-logs.ts'
import type { View } from '../terminal.ts'
import { mark } from './style.ts'
import { table } from './table.ts'
import { count } from './text.ts'

const REMEDY: Record<'torn' | 'rot' | 'missing', string> = {
  torn: 'Nothing to do: what was not finished was not acknowledged, and the next start cuts it.',
  rot: 'Do not start on it. Alone: restore a snapshot or a backup of the log. In a quorum: the other servers have it.',
  missing: 'Look for the file in a backup of the log. Without it: restore a snapshot.',
}

/** A line for each log, then what is wrong and what to do. */
export function renderVerdicts(logs: readonly LogVerdict[], view: View): string {
  const overview = table(view, logs, [
    { title: 'log', cell: ({ dir }) => dir },
    { title: 'files', cell: ({ files }) => files, align: 'right' },
    { title: 'size', cell: ({ bytes }) => formatSize(bytes), align: 'right' },
    { title: 'positions', cell: ({ first, last }) => (last < first ? 'none' : `${first} to ${last}`), align: 'right' },
    { title: 'state', cell: ({ bad }) => mark(view, bad === null ? 'ok' : bad.kind === 'torn' ? 'warn' : 'bad', bad?.kind ?? 'whole') },
  ])
  const wrong = logs.flatMap(({ bad }) => (bad === null ? [] : [bad]))
  if (wrong.length === 0) return `${overview}\n\nEvery record is whole and follows the one before.`
  const told = wrong.flatMap(({ kind, position, file, offset, reason }) => [
    `${mark(view, kind === 'torn' ? 'warn' : 'bad', kind)} from position ${position} on, ${file} at offset ${offset}: ${reason}.`,
    `  ${REMEDY[kind]}`,
  ])
  return [overview, '', `${count(wrong.length, 'log')} not whole:`, ...told].join('\n')
}

/** What each server read, then what is wrong. */
export function renderComparison({ servers, faults }: Comparison, view: View): string {
  const overview = table(view, servers, [
    { title: 'server', cell: ({ server }) => server },
    { title: 'keeps from', cell: ({ head }) => head, align: 'right' },
    { title: 'to', cell: ({ tail }) => tail - 1, align: 'right' },
    { title: 'read', cell: ({ read }) => read, align: 'right' },
    {
      title: 'state',
      cell: ({ server, problem }) => {
        const fault = faults.find((each) => each.server === server)
        if (problem !== null) return mark(view, 'bad', problem)
        return fault === undefined ? mark(view, 'ok', 'as the others') : mark(view, 'bad', fault.kind)
      },
      canShrink: true,
    },
  ])
  if (faults.length === 0) return overview
  const told = faults.map(
    ({ server, from, kind, reason }) => `${mark(view, 'bad', kind)} at ${server} from position ${from} on: ${reason}.`,
  )
  return [
    overview,
    '',
    ...told,
    '  Start that server again: it gets what it lost from the others. If servers differ, restore from an archive or a snapshot.',
  ].join('\n')
}
