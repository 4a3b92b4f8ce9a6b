import type { EntryMeta, Notable } from '../../contracts/entry.ts'
import type { Db } from '../../contracts/storage.ts'
import { rolloutRow } from '../rows.ts'

/** The mark of an entry about a rollout, in the words of its service. */
export function rolloutNote(db: Db, rollout: number, kind: string, text: (service: string, release: string) => string): Notable | null {
  const row = rolloutRow(db, rollout)
  if (!row) return null
  return { system: 'deploy', kind, target: rolloutName(rollout), service: row.service, text: text(row.service, row.release) }
}

/** One line of a rollout's history. */
export function addEvent(db: Db, rollout: number, meta: EntryMeta, kind: string, text: string): void {
  db.run(
    'INSERT INTO deploy_event (position, rollout, at, actor, kind, text) VALUES (?, ?, ?, ?, ?, ?)',
    meta.position,
    rollout,
    meta.at,
    meta.actor,
    kind,
    text,
  )
}

/** `r57`: how people write the id of a rollout. */
export function rolloutName(id: number): string {
  return `r${id}`
}
