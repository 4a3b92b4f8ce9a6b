import type { Effect } from '../../../src/core/contracts/controller.ts'
import type { Entry, Proposal } from '../../../src/core/contracts/entry.ts'
import type { CommandDef, QueryDef } from '../../../src/core/contracts/operation.ts'
import { isRefusal, type MusterError } from '../../../src/core/kernel/errors.ts'
import { scubaSystem } from '../../../src/core/scuba/system.ts'
import { sevSystem } from '../../../src/core/sev/system.ts'
import { createEntryRegistry } from '../../../src/server/state/entry-registry.ts'
import { stateDigest } from '../../../src/server/state/state-digest.ts'
import { newState } from '../../support/state.ts'
import type { OpenDb } from '../../../src/server/state/state-db.ts'
import type { z } from 'zod'

/** sev's state in memory, with entries of other systems, actors, and a clock that stops wherever a controller wants to be woken. */
export interface State {
  db: OpenDb
  now: number
  readonly entries: Entry[]
  append: (proposals: readonly Proposal[], actor?: string) => Entry[]
  /** An entry as another system would have logged it: only observers see it. */
  foreign: (entry: Partial<Entry> & { type: string }) => Entry
  run: <In extends z.ZodType, Out extends z.ZodType>(command: CommandDef<In, Out>, input: z.input<In>, actor?: string) => z.output<Out>
  refusal: <In extends z.ZodType, Out extends z.ZodType>(command: CommandDef<In, Out>, input: z.input<In>, actor?: string) => MusterError
  ask: <In extends z.ZodType, Out extends z.ZodType>(query: QueryDef<In, Out>, input: z.input<In>, actor?: string) => z.output<Out>
  settle: () => number | null
  effects: () => Effect[]
  /** Moves the clock, settling whenever a controller asked to be woken on the way. */
  advance: (ms: number) => void
  digest: () => string
  /** The same log applied to an empty database: what a restart with a lost state.db does. */
  rebuilt: () => State
  close: () => void
}

export function createState(startAt: number, log: readonly Entry[] = []): State {
  // What sev reads of scuba is in scuba's tables.
  const base = newState([sevSystem, scubaSystem], startAt)
  const { db, entries } = base
  const registry = createEntryRegistry([sevSystem])
  const observe = (entry: Entry): void => sevSystem.observe?.(db, entry)
  for (const entry of log) {
    if (entry.type.startsWith('sev.')) registry.apply(db, entry)
    else observe(entry)
    entries.push(entry)
  }
  const context = (actor: string) => ({ now: base.now(), actor, role: 'admin' as const, position: entries.length + 1 })
  const state: State = {
    db,
    get now() {
      return base.now()
    },
    set now(at) {
      base.advance(at - base.now())
    },
    entries,
    append: (proposals, actor) => base.append(proposals, actor),
    foreign: (entry) => {
      const whole: Entry = { position: entries.length + 1, v: 1, at: state.now, actor: 'controller:test', body: {}, ...entry }
      observe(whole)
      entries.push(whole)
      return whole
    },
    run: (command, input, actor) => base.run(command, input, actor),
    refusal: (command, input, actor = 'user:test') => {
      const decision = command.decide(db, command.input.parse(input), context(actor))
      if (!isRefusal(decision)) throw new Error(`${command.name} was not refused`)
      return decision
    },
    ask: (query, input, actor = 'user:test') => {
      const answer = query.answer(db, query.input.parse(input), context(actor))
      if (isRefusal(answer)) throw answer
      return query.output.parse(answer)
    },
    settle: () => base.settle(sevSystem.controllers),
    effects: () => sevSystem.controllers.flatMap((controller) => controller.effects?.(db, state.now, undefined) ?? []),
    advance: (ms) => {
      const until = state.now + ms
      for (let wakeAt = state.settle(); wakeAt !== null && wakeAt <= until; wakeAt = state.settle())
        state.now = Math.max(wakeAt, state.now + 1)
      state.now = until
      state.settle()
    },
    digest: () => stateDigest(db),
    rebuilt: () => createState(state.now, entries),
    close: () => db.close(),
  }
  return state
}
