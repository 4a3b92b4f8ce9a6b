/** Words people use for the same verb; both work everywhere. */
const SYNONYMS: Record<string, string> = { ls: 'list', list: 'ls', rm: 'remove', remove: 'rm', delete: 'rm' }

export type Resolution =
  | { kind: 'command'; id: string; argv: string[] }
  | { kind: 'topic'; id: string }
  | { kind: 'unknown'; typed: string; guesses: string[] }

/**
 * Which command a command line names. `ids` are oclif ids (`tw:job:run`); the longest one that the leading words spell
 * wins, with synonyms of its verb allowed. Words after the first flag are never part of the name.
 */
export function resolveCommand(argv: readonly string[], ids: readonly string[]): Resolution {
  const known = new Set(ids)
  const topics = new Set(ids.flatMap((id) => prefixesOf(id)))
  let path = ''
  let best: { id: string; used: number } | null = null
  let used = 0
  for (const word of argv) {
    if (word.startsWith('-') || word === '') break
    const next = step(path, word, known, topics)
    if (next === null) break
    path = next
    used += 1
    if (known.has(path)) best = { id: path, used }
  }
  const rest = argv[used]
  // `tw job` alone is a topic; `tw job frobnicate` is a mistake; `explain CODE` is a command with an argument.
  if (best !== null && (best.used === used || !topics.has(path))) return { kind: 'command', id: best.id, argv: argv.slice(best.used) }
  if (path !== '' && (rest === undefined || rest.startsWith('-'))) return { kind: 'topic', id: path }
  const typed = [...path.split(':').filter(Boolean), rest ?? ''].join(' ')
  return { kind: 'unknown', typed, guesses: guess(typed, ids) }
}

function step(path: string, word: string, known: Set<string>, topics: Set<string>): string | null {
  const join = (verb: string): string => (path === '' ? verb : `${path}:${verb}`)
  const candidates = [word, SYNONYMS[word]].filter((verb) => verb !== undefined).map(join)
  return candidates.find((id) => known.has(id) || topics.has(id)) ?? null
}

function prefixesOf(id: string): string[] {
  const words = id.split(':')
  return words.slice(0, -1).map((_, i) => words.slice(0, i + 1).join(':'))
}

/** Up to three names near to what was typed, nearest first. Only printed, never run. */
export function guess(typed: string, ids: readonly string[]): string[] {
  const target = typed.toLowerCase()
  const last = target.split(' ').at(-1) ?? ''
  return ids
    .map((id) => {
      const name = id.replaceAll(':', ' ')
      // `job run` for `tw job run`: a name whose end was typed is near, however long its front is.
      const plain = name.toLowerCase()
      const distance = plain.endsWith(` ${target}`) ? 0.5 : editDistance(target, plain) - (last.length > 2 && plain.includes(last) ? 1 : 0)
      return { name, distance }
    })
    .filter(({ name, distance }) => distance <= Math.max(2, Math.floor(name.length / 3)))
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, 3)
    .map(({ name }) => name)
}

/** Damerau–Levenshtein distance, restricted form: insert, delete, replace, swap neighbours. */
export function editDistance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, (before[j - 2] ?? 0) + 1)
      row.push(best)
    }
    before = last
    last = row
  }
  return last[b.length] ?? 0
}
