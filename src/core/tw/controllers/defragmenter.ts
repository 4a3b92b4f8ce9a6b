import type { Controller } from '../../contracts/controller.ts'
import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { defragRow, type DefragRow } from '../defrag/rows.ts'
import { defragRan } from '../entries/defrag.ts'
import { opWithdrawn } from '../entries/ops.ts'
import { windowOf } from '../maintenance/window.ts'
import type { OpRow } from '../ops/op-row.ts'
import { plannersImage, type TwSoft } from '../soft.ts'
import { moveEntries, movesOf } from '../views/moves.ts'
import { earliest } from './wake.ts'

/** What nobody can tell when it is due is looked at again after this. */
const LOOK_AGAIN_MS = 60_000
const NAME = 'tw.defrag'

/**
 * Moves tasks so that more of the free capacity can be used, one round a window of the fleet's schedule. Only moves with a net gain are
 * proposed, as ops under the budgets of their groups; those that have not begun when the window closes are given up. A window that went by
 * while no server led is left out.
 */
export const defragmenter: Controller<TwSoft> = {
  name: NAME,
  wakes: ['tw.Defrag'],
  decide: (db, now, soft) => {
    const row = defragRow(db)
    const entries = row === undefined || row.closes_at === null || row.closes_at <= now ? givenUp(db) : []
    if (row === undefined) return { entries, wakeAt: null }
    const window = windowOf({ ...row, since: row.changed_at }, soft, now)
    if (typeof window === 'string') return { entries, wakeAt: now + LOOK_AGAIN_MS }
    const isRun = row.opened_at === window.openAt
    if (window.openAt <= now && !isRun) return { entries: [...entries, ...round(db, row, window, soft)], wakeAt: window.closeAt }
    return {
      entries,
      wakeAt: earliest([row.closes_at !== null && row.closes_at > now ? row.closes_at : null, isRun ? window.closeAt : window.openAt]),
    }
  },
}

function round(db: ReadDb, row: DefragRow, { openAt, closeAt }: { openAt: number; closeAt: number }, soft: TwSoft): Proposal[] {
  const { tasks, moves } = movesOf(db, plannersImage(db, soft), { movesPpm: row.moves_ppm, gainMin: row.gain_min })
  const gainMilli = moves.reduce((sum, { gain }) => sum + gain, 0)
  return [defragRan.of({ openAt, closeAt, tasks, moves: moves.length, gainMilli }), ...moveEntries(moves)]
}

/** Moves of the schedule that wait still. */
function givenUp(db: ReadDb): Proposal[] {
  const rows = db.all<Pick<OpRow, 'id' | 'job' | 'grp'>>(
    "SELECT id, job, grp FROM tw_op WHERE ended_at IS NULL AND state = 'proposed' AND cause = 'rebalance' AND proposed_by = ? ORDER BY id",
    `controller:${NAME}`,
  )
  return [...Map.groupBy(rows, ({ job, grp }) => `${job}/${grp}`).values()].map((of) =>
    opWithdrawn.of({ job: of[0]?.job ?? '', group: of[0]?.grp ?? '', ops: of.map(({ id }) => id), why: 'its window has closed' }),
  )
}
