import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import { note } from './marks.ts'

/** Defragmentation goes by a schedule from now on, or by hand alone. */
export const defragScheduled = defineEntry({
  type: 'tw.DefragScheduled',
  body: z.object({
    /** null: by hand alone */
    schedule: z.object({ window: z.string(), windowMs: z.int(), zone: z.string(), movesPpm: z.int(), gainMinMilli: z.int() }).nullable(),
  }),
  notable: ({ schedule }) =>
    note(
      'defrag',
      'fleet',
      null,
      schedule === null ? 'no defragmentation on a schedule any more' : `defragmentation by ${schedule.window}`,
    ),
  apply: (db, { schedule }, meta) => {
    db.run('DELETE FROM tw_defrag')
    if (schedule === null) return
    db.run(
      `INSERT INTO tw_defrag (id, window, window_ms, zone, moves_ppm, gain_min, author, changed_at, opened_at, closes_at, moves, gain)
       VALUES (1, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, 0, 0)`,
      schedule.window,
      schedule.windowMs,
      schedule.zone,
      schedule.movesPpm,
      schedule.gainMinMilli,
      meta.actor,
      meta.at,
    )
  },
})

/** A round of the schedule; its moves are ops beside it. */
export const defragRan = defineEntry({
  type: 'tw.DefragRan',
  body: z.object({ openAt: z.int(), closeAt: z.int(), tasks: z.int(), moves: z.int(), gainMilli: z.int() }),
  notable: ({ moves }) => (moves === 0 ? null : note('defrag', 'fleet', null, `defragmentation moves ${moves} tasks`)),
  apply: (db, { openAt, closeAt, moves, gainMilli }) => {
    db.run('UPDATE tw_defrag SET opened_at = ?, closes_at = ?, moves = ?, gain = ?', openAt, closeAt, moves, gainMilli)
  },
})

export const DEFRAG_ENTRIES = [defragScheduled, defragRan] as const
