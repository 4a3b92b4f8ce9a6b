import type { View } from '../terminal.ts'
import { table } from './table.ts'
import { count } from './text.ts'
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
