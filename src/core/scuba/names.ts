import { editDistance } from '../kernel/edit-distance.ts'

/** Users' requests through the mesh: what the live aggregate counts, and guards read. */
export const LIVE_TABLE = 'requests'

/** Tables of muster itself begin so. */
export const isOwnTable = (name: string): boolean => name.startsWith('muster_')

/** Entries of the control log, as rows. */
export const LOG_TABLE = 'muster_log_entries'

/** Each server fills such a table by itself from what all of them know: whoever answers looks into its own leaf alone. */
export const isMirrored = (name: string): boolean => name === LOG_TABLE

const TABLE = /^[a-z][a-z0-9_]{0,62}$/

/** Table names are lower case, begin with a letter and need no quotes in SQL. */
export function isTableName(name: string): boolean {
  return TABLE.test(name)
}

/** `"` doubled, in quotes. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** `'` doubled, in quotes. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** Up to three of `names` that a person may have meant by `name`, nearest first (edit distance ≤ 1 + a third of the length). */
export function nearNames(name: string, names: Iterable<string>): string[] {
  const wanted = name.toLowerCase()
  const limit = 1 + Math.floor(wanted.length / 3)
  return [...names]
    .map((candidate) => ({
      candidate,
      distance: candidate.toLowerCase().includes(wanted) ? 1 : editDistance(wanted, candidate.toLowerCase()),
    }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, 3)
    .map(({ candidate }) => candidate)
}
