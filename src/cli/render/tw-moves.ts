import { formatDuration } from '../../core/kernel/units.ts'
import type { View } from '../terminal.ts'
import { fields, table } from './table.ts'
import { count } from './text.ts'
import { dueText } from './tw-jobs.ts'
import { cpuText } from './tw-words.ts'

export function renderMoves(
  view: View,
  data: { tasks: number; gainMilli: number; moves: readonly { task: string; from: string; to: string; gainMilli: number }[] },
): string {
  if (data.moves.length === 0) return `none of ${count(data.tasks, 'task')} is worth moving`
  const list = table(
    view,
    data.moves,
    [
      { title: 'task', cell: (move) => move.task },
      { title: 'from', cell: (move) => move.from },
      { title: 'probably to', cell: (move) => move.to },
      { title: 'gain', cell: (move) => cpuText(move.gainMilli), align: 'right' },
    ],
    '',
  )
  return `${list}\n${count(data.moves.length, 'move')} of ${count(data.tasks, 'task')}: ${cpuText(data.gainMilli)} of cpu more can be used`
}

export interface DefragShown {
  schedule: {
    window: string
    windowMs: number
    zone: string
    movesPpm: number
    gainMinMilli: number
    nextMs: number | null
    problem: string | null
    last: { atMs: number; closesAtMs: number; moves: number; gainMilli: number } | null
  } | null
  openMoves: number
}

export function renderDefragSchedule(view: View, { schedule, openMoves }: DefragShown): string {
  const open = openMoves === 0 ? null : `${count(openMoves, 'move')} (\`muster tw op ls\`)`
  if (schedule === null)
    return fields(view, [
      ['schedule', 'none: by hand alone (`muster tw defrag schedule`)'],
      ['open', open],
    ])
  const { last } = schedule
  return fields(view, [
    ['schedule', `${schedule.window}, ${schedule.zone}, open for ${formatDuration(schedule.windowMs)}`],
    ['at most', `${schedule.movesPpm / 10_000} % of all tasks, each gains ${cpuText(schedule.gainMinMilli)} of cpu or more`],
    ['next', schedule.nextMs === null ? `waits for ${schedule.problem ?? ''}` : dueText(schedule.nextMs)],
    [
      'last',
      last === null
        ? 'no round yet'
        : `${dueText(last.atMs)}: ${count(last.moves, 'move')}, ${cpuText(last.gainMilli)} of cpu more can be used`,
    ],
    ['open', open],
  ])
}
