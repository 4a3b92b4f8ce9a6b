import { type Notable } from '../../contracts/entry.ts'
import type { Db } from '../../contracts/storage.ts'

/** Next of a counter that is never reused, from 1. */
export function nextOf(db: Db, counter: string): number {
  db.run('INSERT INTO tw_counter (name, value) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1', counter)
  return db.get<{ value: number }>('SELECT value FROM tw_counter WHERE name = ?', counter)?.value ?? 1
}

/** The mark of a notable entry of tw. */
export function note(kind: string, target: string, service: string | null, text: string): Notable {
  return { system: 'tw', kind, target, service, text }
}

/** `: REASON`, or nothing when none was given. */
export function because(reason: string): string {
  return reason === '' ? '' : `: ${reason}`
}
