import { z } from 'zod'
import { defineCommand } from '../../contracts/operation.ts'
import { proposeStop } from '../ops/propose-stop.ts'
import { taskName } from '../rows.ts'
import { onImage } from '../soft.ts'
import { movesOf } from '../views/moves.ts'

export const defrag = defineCommand({
  name: 'tw.defrag',
  summary: 'Move tasks so that more of the free capacity can be used, as ops under the budgets of their groups.',
  danger: 'medium',
  input: z.object({
    /** of all live tasks, parts per million */
    movesPpm: z.int().min(0).max(1_000_000).default(50_000),
    /** a move must make so much more usable, thousandths of a core */
    gainMinMilli: z.int().min(1).default(200),
  }),
  output: z.object({
    tasks: z.int(),
    moves: z.array(z.object({ task: z.string(), from: z.string(), to: z.string(), gainMilli: z.int() })),
    gainMilli: z.int(),
  }),
  decide: (db, input, ctx) => {
    const limits = { movesPpm: input.movesPpm, gainMin: input.gainMinMilli }
    const { tasks, moves } = onImage(db, ctx, (image) => movesOf(db, image, limits))
    const listed = moves.map(({ task, from, to, gain }) => ({ task: taskName(task), from, to, gainMilli: gain }))
    return {
      entries: moves.map(({ task, from, to }) => proposeStop(task, 'move', 'rebalance', `rebalance: from ${from}, probably to ${to}`)),
      reply: () => ({ tasks, moves: listed, gainMilli: listed.reduce((sum, move) => sum + move.gainMilli, 0) }),
    }
  },
})
