import { z } from 'zod'
import { defineCommand, defineQuery } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { refuse } from '../../kernel/errors.ts'
import { defragRow } from '../defrag/rows.ts'
import { defragScheduled } from '../entries/defrag.ts'
import { parseRecurrence } from '../maintenance/rrule.ts'
import { windowOf } from '../maintenance/window.ts'
import { taskName } from '../rows.ts'
import { onImage, type Asked } from '../soft.ts'
import { moveEntries, movesOf } from '../views/moves.ts'

/** of all live tasks, parts per million */
const movesPpm = z.int().min(0).max(1_000_000).default(50_000)
/** a move must make so much more usable, thousandths of a core */
const gainMinMilli = z.int().min(1).default(200)

export const defrag = defineCommand({
  name: 'tw.defrag',
  summary: 'Move tasks so that more of the free capacity can be used, as ops under the budgets of their groups.',
  danger: 'medium',
  input: z.object({ movesPpm, gainMinMilli }),
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
      entries: moveEntries(moves),
      reply: () => ({ tasks, moves: listed, gainMilli: listed.reduce((sum, move) => sum + move.gainMilli, 0) }),
    }
  },
})

const scheduleSchema = z.object({
  /** null: defragmentation is run by hand alone */
  schedule: z
    .object({
      window: z.string(),
      windowMs: z.int(),
      zone: z.string(),
      movesPpm: z.int(),
      gainMinMilli: z.int(),
      author: z.string(),
      changedAtMs: z.number(),
      /** when the next round is due, or the one that is open began; null: see `problem` */
      nextMs: z.number().nullable(),
      /** why nobody can tell when it is due */
      problem: z.string().nullable(),
      /** the last round; null: there was none yet */
      last: z.object({ atMs: z.number(), closesAtMs: z.number(), moves: z.int(), gainMilli: z.int() }).nullable(),
    })
    .nullable(),
  /** moves for a better packing that have not ended, by hand or by the schedule */
  openMoves: z.int(),
})

function scheduleOf(db: ReadDb, asked: Asked): z.input<typeof scheduleSchema> {
  const row = defragRow(db)
  const open = db.get<{ n: number }>("SELECT count(*) AS n FROM tw_op WHERE ended_at IS NULL AND cause = 'rebalance'")?.n ?? 0
  if (row === undefined) return { schedule: null, openMoves: open }
  const next = windowOf({ ...row, since: row.changed_at }, asked.soft ?? {}, asked.now)
  const { window, zone, author } = row
  return {
    schedule: {
      ...{ window, zone, author, windowMs: row.window_ms, movesPpm: row.moves_ppm, gainMinMilli: row.gain_min },
      changedAtMs: row.changed_at,
      nextMs: typeof next === 'string' ? null : next.openAt,
      problem: typeof next === 'string' ? next : null,
      last:
        row.opened_at === null
          ? null
          : { atMs: row.opened_at, closesAtMs: row.closes_at ?? row.opened_at, moves: row.moves, gainMilli: row.gain },
    },
    openMoves: open,
  }
}

export const defragShow = defineQuery({
  name: 'tw.defrag.show',
  summary: 'Show when defragmentation is due, how its last round went, and how many of its moves are open.',
  input: z.object({}),
  output: scheduleSchema,
  answer: (db, _input, ctx) => scheduleOf(db, ctx),
})

export const defragSchedule = defineCommand({
  name: 'tw.defrag.schedule',
  summary: 'Defragment the fleet by a schedule, or by hand alone.',
  danger: 'medium',
  input: z.object({
    /** recurrence rule; null: by hand alone */
    window: z.string().nullable(),
    windowMs: z.int().min(60_000).default(7_200_000),
    zone: z.string().default('UTC'),
    movesPpm,
    gainMinMilli,
  }),
  output: scheduleSchema,
  decide: (db, input, ctx) => {
    const { window, ...rest } = input
    const rule = window === null ? null : parseRecurrence(window)
    if (typeof rule === 'string') return refuse('USAGE', `the window is not valid: ${rule}`)
    const isOff = window === null && defragRow(db) === undefined
    return {
      entries: isOff ? [] : [defragScheduled.of({ schedule: window === null ? null : { window, ...rest } })],
      reply: (after) => scheduleOf(after, ctx),
    }
  },
})
