import type { Model, Operation } from '../../check/linearizability.ts'

/** What was asked of a group of keys that share txns; 0 stands for a key that is not there. */
export type KvInput =
  | { kind: 'get'; key: number }
  | { kind: 'put'; key: number; value: number }
  | { kind: 'putBoth'; value: number }
  | { kind: 'delete'; key: number }
  | { kind: 'cas'; key: number; expected: number; value: number }

export interface KvOperation extends Operation<KvInput, number> {
  group: number
}

/** Keys 0 and 1 are put by the same txns, so they are judged together; every other one by itself. */
export const groupOf = (key: number): number => Math.max(1, key)

type State = readonly [number, number]

/** Answers: `get` the value, `delete` how many were deleted, `cas` 1 if it did; others 0. */
export const KV_MODEL: Model<State, KvInput, number> = {
  initial: [0, 0],
  apply: ([a, b], input, output) => {
    if (input.kind === 'putBoth') return { state: [input.value, input.value] }
    const isFirst = input.key === 0
    const now = isFirst ? a : b
    const set = (value: number): { state: State } => ({ state: isFirst ? [value, b] : [a, value] })
    switch (input.kind) {
      case 'get':
        return output === null || output === now ? { state: [a, b] } : null
      case 'put':
        return set(input.value)
      case 'delete':
        return output === null || output === (now === 0 ? 0 : 1) ? set(0) : null
      case 'cas': {
        const does = now === input.expected
        if (output !== null && output !== (does ? 1 : 0)) return null
        return does ? set(input.value) : { state: [a, b] }
      }
    }
  },
  keyOf: ([a, b]) => `${a} ${b}`,
}

/** Drops what cannot matter: reads whose answer is not known. */
export const simplifyKv = (history: readonly KvOperation[]): KvOperation[] =>
  history.filter(({ input, output }) => input.kind !== 'get' || output !== null)
