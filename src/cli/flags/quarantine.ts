import { defined } from '../defined.ts'
import { timeFlag } from './time.ts'

/** `--table --reason --since` as the operations take them. */
export function selectionFlags(flags: { table: string | undefined; reason: string | undefined; since: string | undefined }): {
  table?: string
  reason?: string
  sinceMs?: number
} {
  return defined({ table: flags.table, reason: flags.reason, sinceMs: timeFlag('since', flags.since, Date.now()) })
}
