import type { Controller, System } from '../../src/core/contracts/controller.ts'
import type { Entry, Proposal } from '../../src/core/contracts/entry.ts'
import type { CommandDef, OpContext, QueryDef } from '../../src/core/contracts/operation.ts'
import { isRefusal } from '../../src/core/kernel/errors.ts'
import { createEntryRegistry } from '../../src/server/state/entry-registry.ts'
import { openStateDb, type OpenDb } from '../../src/server/state/state-db.ts'
import { stateDigest } from '../../src/server/state/state-digest.ts'
import { prepareSchema } from '../../src/server/state/state-schema.ts'
import type { z } from 'zod'

/** The state of some systems in memory, with the real registry and tables, and a clock that only moves when told to. */
export interface TestState {
  db: OpenDb
  /** every entry so far, in order */
  entries: Entry[]
  now: () => number
  advance: (ms: number) => void
  /** Appends and applies; one position an entry. */
  append: (proposals: readonly Proposal[], actor?: string) => Entry[]
  /** Decides a command on the state and applies its entries; a refusal is thrown. */
  run: <In extends z.ZodType, Out extends z.ZodType>(command: CommandDef<In, Out>, input: z.input<In>, actor?: string) => z.output<Out>
  /** Answers a query; a refusal is thrown. Input and answer are checked by its schemas. */
  ask: <In extends z.ZodType, Out extends z.ZodType>(query: QueryDef<In, Out>, input: z.input<In>) => z.output<Out>
  /** Lets the controllers decide, in turn, until none has anything more to say. Gives the earliest time one wants to be woken at. */
  settle: (controllers: readonly Controller[], softOf?: (controller: string) => unknown) => number | null
  /** A digest of all tables. */
  digest: () => string
  /** A new state that applied the same entries. */
  replay: () => TestState
}

/** Rounds after which controllers that still find something to do are a bug. */
const ROUNDS_MAX = 1000

export function newState(systems: readonly System[], startAt = 1_700_000_000_000): TestState {
  const db = openStateDb(':memory:')
  prepareSchema(db, systems)
  const registry = createEntryRegistry(systems)
  const entries: Entry[] = []
  let now = startAt

  const append = (proposals: readonly Proposal[], actor = 'user:test'): Entry[] =>
    proposals.map((proposal) => {
      const entry = registry.seal(db, proposal, { position: entries.length + 1, at: now, actor, trace: undefined })
      // What stands in the log is JSON: a body that does not survive it would differ after a restart.
      const stored = JSON.parse(JSON.stringify(entry)) as Entry
      registry.apply(db, stored)
      entries.push(stored)
      return stored
    })

  const context = (actor: string): OpContext => ({ now, actor, role: 'admin', position: entries.length + 1 })

  const state: TestState = {
    db,
    entries,
    now: () => now,
    advance: (ms) => {
      now += ms
    },
    append,
    run: (command, input, actor = 'user:test') => {
      const decision = command.decide(db, command.input.parse(input), context(actor))
      if (isRefusal(decision)) throw decision
      append(decision.entries, actor)
      return command.output.parse(decision.reply(db))
    },
    ask: (query, input) => {
      const answer = query.answer(db, query.input.parse(input), context('user:test'))
      if (isRefusal(answer)) throw answer
      return query.output.parse(answer)
    },
    settle: (controllers, softOf = () => undefined) => {
      for (let round = 0; round < ROUNDS_MAX; round += 1) {
        let wakeAt: number | null = null
        let isQuiet = true
        for (const controller of controllers) {
          const verdict = controller.decide(db, now, softOf(controller.name))
          if (verdict.entries.length > 0) isQuiet = false
          append(verdict.entries, `controller:${controller.name}`)
          if (verdict.wakeAt !== null && (wakeAt === null || verdict.wakeAt < wakeAt)) wakeAt = verdict.wakeAt
        }
        if (isQuiet) return wakeAt
      }
      throw new Error(
        `the controllers do not come to rest: ${entries
          .slice(-5)
          .map((entry) => JSON.stringify(entry))
          .join('\n')}`,
      )
    },
    digest: () => stateDigest(db),
    replay: () => {
      const other = newState(systems, startAt)
      for (const entry of entries) createEntryRegistry(systems).apply(other.db, entry)
      other.entries.push(...entries)
      return other
    },
  }
  return state
}
