import type { ReadDb } from '../../contracts/storage.ts'
import type { TaskRow } from '../rows.ts'
import { liveOnNode } from '../tasks/read.ts'
import { tallyRows } from '../tasks/tally.ts'
import { selectViews, taskViews, type TaskSelector, type TaskView } from './tasks.ts'

/** Rows read in one go; and the most that are looked at for one page, so that a filter nothing meets never stalls the server. */
const CHUNK = 1000
const LOOKED_AT_MAX = 50_000

export interface TaskPage {
  tasks: TaskView[]
  /** give it as `after` for the page behind this one; null: there is none */
  next: string | null
}

interface Cursor {
  job: string
  grp: string
  idx: number
  id: number
}

const START: Cursor = { job: '', grp: '', idx: -1, id: -1 }

/** At most `limit` tasks behind `after`, by job, group, index and id. Null when `after` is not of this form. */
export function taskPage(
  db: ReadDb,
  selector: TaskSelector & { state?: string | undefined },
  after: string | undefined,
  limit: number,
): TaskPage | null {
  const from = after === undefined ? START : cursorOf(after)
  if (from === null) return null
  const found: TaskView[] = []
  let looked = 0
  for (const rows of chunks(db, selector, from)) {
    const wanted = rows.filter((row) => isWanted(row, selector))
    found.push(...selectViews(taskViews(db, wanted), selector))
    looked += rows.length
    const [last] = rows.slice(-1)
    if (found.length > limit) return { tasks: found.slice(0, limit), next: cursorText(found[limit - 1]) }
    if (looked >= LOOKED_AT_MAX && last) return { tasks: found, next: `${last.job}/${last.grp}[${last.idx}]#${last.id}` }
  }
  return { tasks: found, next: null }
}

function isWanted(row: TaskRow, selector: TaskSelector & { state?: string | undefined }): boolean {
  return (
    (selector.isAll || !row.is_terminal) &&
    (selector.job === undefined || row.job === selector.job) &&
    (selector.group === undefined || row.grp === selector.group) &&
    (selector.index === undefined || row.idx === selector.index) &&
    (selector.node === undefined || row.node === selector.node) &&
    (selector.version === undefined || row.version === selector.version) &&
    (selector.state === undefined || row.state === selector.state)
  )
}

/** Rows behind the cursor, in order. Of a node they come at once, else group by group, so that nothing sorts them all. */
function* chunks(db: ReadDb, selector: TaskSelector, from: Cursor): Generator<TaskRow[]> {
  if (selector.node !== undefined && !selector.isAll) {
    yield liveOnNode(db, selector.node)
      .filter((row) => compare(row, from) > 0)
      .sort(compare)
    return
  }
  const groups = new Map(tallyRows(db).map(({ job, grp }) => [`${job}/${grp}`, { job, grp }]))
  for (const { job, grp } of groups.values()) {
    if ((selector.job !== undefined && job !== selector.job) || (selector.group !== undefined && grp !== selector.group)) continue
    const order = compareText(job, from.job) || compareText(grp, from.grp)
    if (order < 0) continue
    let { idx, id } = order === 0 ? from : START
    for (;;) {
      const rows = db.all<TaskRow>(
        `SELECT * FROM tw_task WHERE job = ? AND grp = ?${selector.isAll ? '' : ' AND is_terminal = 0'} AND (idx, id) > (?, ?)
         ORDER BY idx, id LIMIT ?`,
        job,
        grp,
        idx,
        id,
        CHUNK,
      )
      if (rows.length > 0) yield rows
      const last = rows.at(-1)
      if (rows.length < CHUNK || !last) break
      ;({ idx, id } = last)
    }
  }
}

function compare(a: Cursor, b: Cursor): number {
  return compareText(a.job, b.job) || compareText(a.grp, b.grp) || a.idx - b.idx || a.id - b.id
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function cursorText(task: TaskView | undefined): string | null {
  return task === undefined ? null : `${task.task}#${task.id}`
}

function cursorOf(text: string): Cursor | null {
  const match = /^([a-z0-9][a-z0-9-]*)\/([a-z0-9][a-z0-9-]*)\[(\d+)\]#(\d+)$/.exec(text)
  return match?.[1] === undefined || match[2] === undefined
    ? null
    : { job: match[1], grp: match[2], idx: Number(match[3]), id: Number(match[4]) }
}
