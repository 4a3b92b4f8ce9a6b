import { checkLinearizable, type Model, type Operation, type Verdict } from '../../sim/check/linearizability.ts'
import type { WatchedEvent } from './gateway.ts'

/*
 * What clients did to pairs of keys, and what must be true of it. Each value is written once, and whoever overwrites or deletes is told
 * what was there: so nothing that took effect is unseen by what came after it.
 */

/** The two keys of a pair; null: not there. */
export type Pair = readonly [x: string | null, y: string | null]

export type PairInput =
  | { kind: 'get' }
  | { kind: 'put'; side: 0 | 1; value: string }
  | { kind: 'delete'; side: 0 | 1 }
  /** if x is `expected`, both become `value` */
  | { kind: 'swap'; expected: string | null; value: string }

/** What there was before it; of a swap also whether it was made. */
export interface PairOutput {
  before: readonly (string | null | undefined)[]
  isSwapped?: boolean
}

const isSeen = (before: PairOutput['before'], pair: Pair): boolean =>
  before.every((value, side) => value === undefined || value === (pair[side as 0 | 1] ?? null))

export const PAIR: Model<Pair, PairInput, PairOutput> = {
  initial: [null, null],
  apply: (pair, input, output) => {
    if (output !== null && !isSeen(output.before, pair)) return null
    const withSide = (side: 0 | 1, value: string | null): Pair => (side === 0 ? [value, pair[1]] : [pair[0], value])
    if (input.kind === 'get') return { state: pair }
    if (input.kind === 'put') return { state: withSide(input.side, input.value) }
    if (input.kind === 'delete') return { state: withSide(input.side, null) }
    const isMade = pair[0] === input.expected
    if (output !== null && output.isSwapped !== isMade) return null
    return { state: isMade ? [input.value, input.value] : pair }
  },
  keyOf: (pair) => JSON.stringify(pair),
}

export interface Recorded extends Operation<PairInput, PairOutput> {
  pair: string
  /** of the answer's header; 0 without an answer */
  revision: number
  /** it was answered, and made a revision of its own */
  hasChanged: boolean
}

/** Writes of unknown outcome whose value nobody ever saw: had they taken effect, nothing would show it. */
function withoutUnseen(history: readonly Recorded[]): Recorded[] {
  const seen = new Set(history.flatMap(({ output }) => output?.before ?? []))
  return history.filter(({ input, output }) => {
    if (output !== null) return true
    if (input.kind === 'get') return false
    return input.kind === 'delete' || seen.has(input.value)
  })
}

/** Pairs by the verdict on their histories. */
export function checkPairs(history: readonly Recorded[]): Record<Verdict, string[]> {
  const verdicts: Record<Verdict, string[]> = { linearizable: [], violation: [], undecided: [] }
  for (const [pair, operations] of Map.groupBy(history, ({ pair }) => pair)) {
    verdicts[checkLinearizable(PAIR, withoutUnseen(operations), 3_000_000)].push(pair)
  }
  return verdicts
}

/** Real time and revisions agree, over all keys at once: what was asked after an answer sees at least that answer's revision. */
export function checkRevisions(history: readonly Recorded[]): string[] {
  const problems: string[] = []
  const answered = history.filter(({ output }) => output !== null)
  const owners = new Set<number>()
  for (const { hasChanged, revision } of answered) {
    if (hasChanged && owners.has(revision)) problems.push(`revision ${revision} was given to two changes`)
    if (hasChanged) owners.add(revision)
  }
  const byCall = answered.toSorted((a, b) => a.calledAt - b.calledAt)
  const byReturn = answered.toSorted((a, b) => a.returnedAt - b.returnedAt)
  let known = 0
  let next = 0
  for (const operation of byCall) {
    for (; (byReturn[next]?.returnedAt ?? Infinity) < operation.calledAt; next += 1) known = Math.max(known, byReturn[next]?.revision ?? 0)
    if (operation.revision < known + (operation.hasChanged ? 1 : 0))
      problems.push(`a ${operation.input.kind} of ${operation.pair} saw revision ${operation.revision} after ${known} had been answered`)
  }
  return problems
}

/** A watch of everything from `from` on: each event once, in order, no revision left out. */
export function checkWatch(name: string, events: readonly WatchedEvent[], from: number, to: number): string[] {
  const problems: string[] = []
  let last = from - 1
  let keys = new Set<string>()
  for (const { revision, key } of events) {
    if (revision < last) problems.push(`${name}: revision ${revision} after ${last}`)
    else if (revision === last && keys.has(key)) problems.push(`${name}: ${key} twice at revision ${revision}`)
    else if (revision > last + 1) problems.push(`${name}: no event of revisions ${last + 1} to ${revision - 1}`)
    if (revision !== last) keys = new Set()
    keys.add(key)
    last = Math.max(last, revision)
  }
  if (last < to) problems.push(`${name}: ends at revision ${last}, the store is at ${to}`)
  return problems
}

/** What the acknowledged changes must have left in the watch, at the revision that was answered. */
export function checkAcknowledged(history: readonly Recorded[], events: readonly WatchedEvent[]): string[] {
  const found = new Map(events.map(({ revision, key, value }) => [`${revision} ${key}`, value]))
  const problems: string[] = []
  const expect = (revision: number, key: string, value: string | null): void => {
    const there = found.get(`${revision} ${key}`)
    if (there !== value)
      problems.push(`acknowledged at ${revision}: ${key} = ${value}; there is ${there === undefined ? 'nothing' : there}`)
  }
  for (const { input, pair, revision, hasChanged } of history) {
    if (!hasChanged || input.kind === 'get') continue
    if (input.kind === 'swap') for (const side of [0, 1] as const) expect(revision, keyOf(pair, side), input.value)
    else expect(revision, keyOf(pair, input.side), input.kind === 'put' ? input.value : null)
  }
  return problems
}

export const keyOf = (pair: string, side: 0 | 1): string => `${pair}/${side === 0 ? 'x' : 'y'}`

/** What all events together leave. */
export function stateAfter(events: readonly WatchedEvent[]): Map<string, string> {
  const state = new Map<string, string>()
  for (const { key, value } of events) {
    if (value === null) state.delete(key)
    else state.set(key, value)
  }
  return state
}
