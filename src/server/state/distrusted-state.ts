import { existsSync, readFileSync, rmSync } from 'node:fs'
import { z } from 'zod'
import { markRowsUnfit } from '../delos/store/unfit-rows.ts'
import { keptDirOf, keptStates } from './kept-states.ts'

/** What was found out of a state by comparing it with those of other servers. */
export interface Distrusted {
  reason: string
  /** up to this position it was what a majority had; 0: not known */
  agreed: number
  /** a majority has another one; false: none has one, so that this one may be right */
  isWrong: boolean
}

const schema = z.object({ reason: z.string(), agreed: z.number(), isWrong: z.boolean() })
const noteOf = (dbFile: string): string => `${dbFile}.unfit`

/** Notes it beside the database, so that no crash forgets it. */
export function noteDistrusted(dbFile: string, what: Distrusted): void {
  markRowsUnfit(dbFile, JSON.stringify(what))
}

/** Null: nobody found anything. */
export function distrusted(dbFile: string): Distrusted | null {
  const note = noteOf(dbFile)
  if (!existsSync(note)) return null
  try {
    return schema.parse(JSON.parse(readFileSync(note, 'utf8')))
  } catch {
    // The disk may have been full: that it is there says enough.
    return { reason: 'what was found of it cannot be read', agreed: 0, isWrong: false }
  }
}

/** Another state is in its place. What was kept of it after it was last what a majority had goes, too; the note last. */
export function forgetDistrusted(dbFile: string): void {
  const found = distrusted(dbFile)
  if (found === null) return
  for (const { file, position } of keptStates(keptDirOf(dbFile))) if (position > found.agreed) rmSync(file, { force: true })
  rmSync(noteOf(dbFile), { force: true })
}
