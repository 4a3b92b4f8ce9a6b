import { xxh32 } from '../../kernel/hash.ts'
import { isRefusal, refuse, type MusterError } from '../../kernel/errors.ts'
import { canonicalJson } from '../../kernel/json.ts'
import type { PlanRow, Program, StoreOperation, StorePlan } from './program.ts'

export interface Wish {
  /** look what would change, and change nothing */
  isPlan: boolean
  /** id of the plan that this has to be; undefined: whatever it is now */
  apply: string | undefined
}

export interface CarriedOut<Out> {
  /** null: only planned */
  value: Out | null
  plan: { id: string; position: number; entries: StorePlan['entries']; changes: PlanRow[] } | null
}

/** An operation as it is wished: planned, done, or done if it is still what was planned. */
export function* carryOut<In, Out>(
  operation: StoreOperation<In, Out>,
  input: In,
  { isPlan, apply }: Wish,
): Program<CarriedOut<Out> | MusterError> {
  if (!isPlan && apply === undefined) {
    const value = yield* operation.run(input, [])
    return isRefusal(value) ? value : { value, plan: null }
  }
  if (operation.plan === null) return refuse('USAGE', 'What this does cannot be shown before.', { hint: 'Run it without --plan.' })
  const planned = yield* operation.plan(input)
  if (isRefusal(planned)) return planned
  const id = planId(planned)
  if (isPlan) return { value: null, plan: { id, position: planned.revision, entries: planned.entries, changes: planned.changes } }
  if (apply?.split('-')[1] !== id.split('-')[1])
    return refuse('PLAN_STALE', `what plan ${apply} touches has changed; it would now be ${id}`)
  const value = yield* operation.run(input, planned.guard)
  return isRefusal(value) ? value : { value, plan: null }
}

const encoder = new TextEncoder()

/** Names a plan: where the store stood, and a digest of what it asks for and of every row it touches as that row was. */
function planId({ revision, entries, changes }: StorePlan): string {
  const bytes = encoder.encode(canonicalJson([entries, changes.map(({ table, before }) => [table, before])]))
  const half = (seed: number): string => xxh32(bytes, seed).toString(16).padStart(8, '0')
  return `p${revision}-${half(0)}${half(1)}`
}
