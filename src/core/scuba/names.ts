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

/** Levenshtein's distance, one row of the table at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
