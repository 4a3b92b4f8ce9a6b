import type { EntryMeta, Notable } from '../../contracts/entry.ts'
import type { Db } from '../../contracts/storage.ts'
import { runRow } from '../rows.ts'

/** The mark of an entry about a run, in the words of its service. */
export function runNote(db: Db, run: string, kind: string, text: string): Notable | null {
  const row = runRow(db, run)
  return row ? { system: 'chaos', kind, target: run, service: row.service, text: `${text} (${row.title})` } : null
}

/** One line of a run's history. */
export function addEvent(db: Db, run: string, meta: EntryMeta, text: string): void {
  db.run('INSERT INTO chaos_event (position, run, at, actor, text) VALUES (?, ?, ?, ?, ?)', meta.position, run, meta.at, meta.actor, text)
}
