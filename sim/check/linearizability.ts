/**
 * Wing and Gong's search for a linearization ("Testing and verifying concurrent objects", 1993) with Lowe's memo
 * ("Testing for linearizability", 2017): a pair of (set of linearized operations, state) is visited once. Histories are checked per
 * key: linearizability is local (Herlihy and Wing, 1990).
 */

export interface Operation<In, Out> {
  input: In
  /** null: the outcome is unknown, it may take effect at any time after `calledAt` or never */
  output: Out | null
  calledAt: number
  /** Infinity where the outcome is unknown */
  returnedAt: number
}

export interface Model<State, In, Out> {
  initial: State
  /** the state after, or null if `output` cannot be the answer in this state; an unknown output always can */
  apply(state: State, input: In, output: Out | null): { state: State } | null
  /** equal for equal states */
  keyOf(state: State): string
}

interface Entry {
  index: number
  isCall: boolean
  previous: Entry | null
  next: Entry | null
  /** of a call: its return */
  match: Entry | null
}

/** Calls and returns in order of time; at equal times calls come first, so the two overlap. */
function linkEntries<In, Out>(history: readonly Operation<In, Out>[]): Entry {
  const events = history.flatMap(({ calledAt, returnedAt }, index) => [
    { at: calledAt, isCall: true, index },
    { at: returnedAt, isCall: false, index },
  ])
  events.sort((a, b) => (a.at === b.at ? Number(b.isCall) - Number(a.isCall) || a.index - b.index : a.at < b.at ? -1 : 1))
  const head: Entry = { index: -1, isCall: false, previous: null, next: null, match: null }
  const calls: Entry[] = []
  let last = head
  for (const { isCall, index } of events) {
    const entry: Entry = { index, isCall, previous: last, next: null, match: null }
    last.next = entry
    last = entry
    const call = calls[index]
    if (isCall) calls[index] = entry
    else if (call !== undefined) call.match = entry
  }
  return head
}

function unlink(entry: Entry): void {
  if (entry.previous !== null) entry.previous.next = entry.next
  if (entry.next !== null) entry.next.previous = entry.previous
}

function relink(entry: Entry): void {
  if (entry.previous !== null) entry.previous.next = entry
  if (entry.next !== null) entry.next.previous = entry
}

export type Verdict = 'linearizable' | 'violation' | 'undecided'

/** @param visitsMax bound of the search; a history that needs more is `undecided` */
export function checkLinearizable<State, In, Out>(
  model: Model<State, In, Out>,
  history: readonly Operation<In, Out>[],
  visitsMax = 1_000_000,
): Verdict {
  const head = linkEntries(history)
  const linearized = new Uint32Array(Math.ceil(history.length / 32) || 1)
  const seen = new Set<string>()
  const stack: { entry: Entry; state: State }[] = []
  let state = model.initial
  let entry = head.next
  let visits = 0
  // An operation that never returned need not be linearized: done when only those are left.
  let returning = history.filter(({ returnedAt }) => returnedAt !== Infinity).length
  while (returning > 0) {
    visits += 1
    if (visits > visitsMax) return 'undecided'
    if (entry !== null && entry.isCall) {
      const operation = history[entry.index] as Operation<In, Out>
      const result = model.apply(state, operation.input, operation.output)
      if (result !== null) {
        const [word, bit] = [entry.index >>> 5, 1 << (entry.index & 31)]
        linearized[word] = (linearized[word] as number) | bit
        const key = `${linearized.join(',')};${model.keyOf(result.state)}`
        if (!seen.has(key)) {
          seen.add(key)
          stack.push({ entry, state })
          state = result.state
          unlink(entry)
          if (entry.match !== null) unlink(entry.match)
          if (operation.returnedAt !== Infinity) returning -= 1
          entry = head.next
          continue
        }
        linearized[word] &= ~bit
      }
      entry = entry.next
      continue
    }
    // A return was reached whose call is not linearized: the last choice was wrong.
    const choice = stack.pop()
    if (choice === undefined) return 'violation'
    state = choice.state
    const { index } = choice.entry
    linearized[index >>> 5] = (linearized[index >>> 5] as number) & ~(1 << (index & 31))
    if (history[index]?.returnedAt !== Infinity) returning += 1
    if (choice.entry.match !== null) relink(choice.entry.match)
    relink(choice.entry)
    entry = choice.entry.next
  }
  return 'linearizable'
}

export type RegisterInput = { kind: 'read' } | { kind: 'write'; value: number }

/** A register that starts at 0; a write answers 0, a read the value. */
export const REGISTER: Model<number, RegisterInput, number> = {
  initial: 0,
  apply: (state, input, output) => {
    if (input.kind === 'write') return { state: input.value }
    return output === null || output === state ? { state } : null
  },
  keyOf: String,
}

/** Drops what cannot matter: reads without an answer, and writes without an answer that nobody read. Values are written once. */
export function simplifyRegister(history: readonly Operation<RegisterInput, number>[]): Operation<RegisterInput, number>[] {
  const wasRead = new Set(history.flatMap(({ input, output }) => (input.kind === 'read' && output !== null ? [output] : [])))
  return history.filter(({ input, output }) => output !== null || (input.kind === 'write' && wasRead.has(input.value)))
}
