import { editDistance } from '../core/kernel/edit-distance.ts'

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
  // `kv get x`: the next word says more than the first alone.
  const next = argv[used + 1]
  const longer = next === undefined ? [] : ids.map(spell).filter((name) => name.endsWith(` ${typed} ${next}`))
  return { kind: 'unknown', typed, guesses: longer.length > 0 ? longer : guess(typed, ids) }
}

function spell(id: string): string {
  return id.replaceAll(':', ' ')
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

/** Up to three names near to what was typed, nearest first: of commands, of topics and `help`. Only printed, never run. */
export function guess(typed: string, ids: readonly string[]): string[] {
  const target = typed.toLowerCase()
  return [...new Set([...ids, ...ids.flatMap(prefixesOf), 'help'])]
    .map((id) => ({ name: spell(id), distance: distanceTo(target, spell(id).toLowerCase()) }))
    .filter(({ name, distance }) => distance <= nearMax(Math.min(name.length, target.length)))
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, 3)
    .map(({ name }) => name)
}

/** Half-typed names are near, however long the rest is: `job run` for `tw job run`, `tw scale` for `tw job scale`, `dep` for `deploy`. */
function distanceTo(target: string, name: string): number {
  const [first = '', ...more] = target.split(' ')
  const last = more.at(-1)
  if (name.endsWith(` ${target}`)) return 0.5
  if (last !== undefined && name.startsWith(`${first} `) && name.endsWith(` ${last}`)) return 0.7
  if (target.length > 2 && name.startsWith(target) && !name.slice(target.length).includes(' ')) return 0.9
  return editDistance(target, name) - (target.length > 2 && name.includes(last ?? first) && (last ?? first).length > 2 ? 1 : 0)
}

/** Of two or three letters no two can be wrong: `kv` is not a slip of `up`. */
function nearMax(length: number): number {
  return length < 4 ? 1 : Math.max(2, Math.floor(length / 3))
}
