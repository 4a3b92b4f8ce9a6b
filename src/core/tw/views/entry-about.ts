import type { Entry } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { loadByName } from '../tasks/load.ts'
import { taskRow } from '../tasks/read.ts'
import { unpackRecords } from '../tasks/records.ts'

/** What a reader of the log looks for; every given part has to be met. */
interface About {
  job?: string | undefined
  node?: string | undefined
}

interface Named {
  job?: unknown
  node?: unknown
  task?: unknown
  id?: unknown
}

/**
 * Whether an entry of tw tells of a job and a node. Entries that name tasks by id alone are looked up in the state, so
 * one of a task that is forgotten by now tells of nothing.
 */
export function isAbout(db: ReadDb, entry: Pick<Entry, 'type' | 'body'>, about: About): boolean {
  if (about.job === undefined && about.node === undefined) return true
  if (!entry.type.startsWith('tw.')) return false
  if (about.node !== undefined && isPlacedOn(db, entry.body, about.node))
    return about.job === undefined || about.job === (entry.body as Named).job
  for (const { job, node } of placesOf(db, entry.body)) {
    if ((about.job === undefined || job === about.job) && (about.node === undefined || node === about.node)) return true
  }
  return false
}

/** Whether packed placements have one on the node. */
function isPlacedOn(db: ReadDb, body: unknown, node: string): boolean {
  const { records } = body as { records?: unknown }
  if (typeof records !== 'string') return false
  const id = loadByName(db, node)?.id
  return unpackRecords(records).some((record) => record.node === id)
}

/** Each thing the body names: its job and its node, as far as it says them; what the body says of all holds for each. */
function* placesOf(db: ReadDb, body: unknown): Generator<{ job: string | null; node: string | null }> {
  if (typeof body !== 'object' || body === null) return
  const whole = placeOf(db, body as Named, true)
  yield whole
  for (const [key, list] of Object.entries(body)) {
    if (!Array.isArray(list)) continue
    for (const item of list as unknown[]) {
      const own = itemOf(db, key, item)
      if (own !== null) yield { job: own.job ?? whole.job, node: own.node ?? whole.node }
    }
  }
}

function itemOf(db: ReadDb, key: string, item: unknown): { job: string | null; node: string | null } | null {
  if (key === 'ids' && typeof item === 'number') return placeOf(db, { id: item }, true)
  if (key === 'nodes' && typeof item === 'string') return { job: null, node: item }
  return typeof item === 'object' && item !== null ? placeOf(db, item as Named, false) : null
}

/** `isTaskId`: an `id` without a name beside it is that of a task. */
function placeOf(db: ReadDb, named: Named, isTaskId: boolean): { job: string | null; node: string | null } {
  const { job, node, task, id } = named
  const row = isTaskId && typeof id === 'number' ? taskRow(db, id) : undefined
  return {
    job: typeof job === 'string' ? job : typeof task === 'string' ? (task.split('/')[0] ?? null) : (row?.job ?? null),
    node: typeof node === 'string' ? node : (row?.node ?? null),
  }
}
