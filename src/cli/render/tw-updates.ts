import type { UpdateView } from '../../core/tw/queries.ts'
import { formatDuration } from '../../core/kernel/units.ts'
import type { View } from '../terminal.ts'
import { mark } from './style.ts'
import { table } from './table.ts'

const MARKS = { running: 'warn', canary: 'warn', paused: 'off', done: 'ok', failed: 'bad' } as const

/** Updates, one group a line: from which version to which, how far, what each waits for and how long it may. */
export function renderUpdates(view: View, updates: readonly UpdateView[], now: number): string {
  return table(
    view,
    updates,
    [
      { title: 'group', cell: (it) => `${it.job}/${it.group}` },
      { title: 'versions', cell: (it) => `v${it.from} → v${it.to}` },
      { title: 'state', cell: (it) => mark(view, MARKS[it.state], it.state) },
      { title: 'old', cell: (it) => it.old, align: 'right' },
      { title: 'new', cell: (it) => `${it.new}/${it.wanted}`, align: 'right' },
      { title: 'healthy', cell: (it) => it.healthy, align: 'right' },
      { title: 'waits for', cell: (it) => it.waitsFor || '-', canShrink: true },
      { title: 'left', cell: (it) => (it.progressDeadlineMs === null ? '-' : formatDuration(Math.max(0, it.progressDeadlineMs - now))) },
    ],
    'No update goes on. See those that ended with `muster tw update ls --all`.',
  )
}
