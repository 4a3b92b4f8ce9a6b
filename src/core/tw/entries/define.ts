import type { z } from 'zod'
import { defineEntry, type EntryMeta, type Notable } from '../../contracts/entry.ts'
import type { Db } from '../../contracts/storage.ts'

/** An entry of tw: besides its own change it moves tw's position, which snapshots of desired state and mesh carry. */
export function twEntry<S extends z.ZodType>(def: {
  type: `tw.${string}`
  body: S
  notable?: (body: z.output<S>, db: Db) => Notable | null
  apply: (db: Db, body: z.output<S>, meta: EntryMeta) => void
}) {
  return defineEntry({
    ...def,
    apply: (db, body, meta) => {
      def.apply(db, body, meta)
      db.run("INSERT INTO tw_counter (name, value) VALUES ('position', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", meta.position)
    },
  })
}

/** Next of a counter that is never reused, from 1. */
export function nextOf(db: Db, counter: string): number {
  db.run('INSERT INTO tw_counter (name, value) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1', counter)
  return db.get<{ value: number }>('SELECT value FROM tw_counter WHERE name = ?', counter)?.value ?? 1
}

export function note(kind: string, target: string, service: string | null, text: string): Notable {
  return { system: 'tw', kind, target, service, text }
}
