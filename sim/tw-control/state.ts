import type { z } from 'zod'
import type { Entry, Proposal } from '../../src/core/contracts/entry.ts'
import type { System } from '../../src/core/contracts/controller.ts'
import type { CommandDef } from '../../src/core/contracts/operation.ts'
import { isRefusal, type MusterError } from '../../src/core/kernel/errors.ts'
import { createEntryRegistry } from '../../src/server/state/entry-registry.ts'
import { openStateDb, type OpenDb } from '../../src/server/state/state-db.ts'
import { prepareSchema } from '../../src/server/state/state-schema.ts'

interface Seen {
  before: (entry: Entry) => void
  after: (entry: Entry) => void
}

/** Tables and prepared statements, which all runs of a process use one after the other: each takes back what it wrote. */
let spare: OpenDb | null = null

/** The real tables and entries of one system, with a clock that moves when it is told to. */
export class ControlState {
  readonly db: OpenDb
  now = 1_700_000_000_000
  entries = 0
  readonly #registry
  readonly #seen: Seen

  /** `seen` is told of each entry before and after it is applied. */
  constructor(system: System, seen: Seen) {
    this.db = spare ?? openStateDb(':memory:')
    if (spare === null) prepareSchema(this.db, [system])
    spare = null
    this.db.raw.exec('BEGIN')
    this.#registry = createEntryRegistry([system])
    this.#seen = seen
  }

  append(proposals: readonly Proposal[], actor: string): void {
    for (const proposal of proposals) {
      this.entries += 1
      const entry = this.#registry.seal(this.db, proposal, { position: this.entries, at: this.now, actor, trace: undefined })
      this.#seen.before(entry)
      this.#registry.apply(this.db, entry)
      this.#seen.after(entry)
    }
  }

  /** Runs a command; gives its refusal, or null. */
  run<In extends z.ZodType, Out extends z.ZodType>(
    command: CommandDef<In, Out>,
    input: z.input<In>,
    actor = 'user:sim',
  ): MusterError | null {
    const context = { now: this.now, actor, role: 'admin' as const, position: this.entries + 1 }
    const decision = command.decide(this.db, command.input.parse(input), context)
    if (isRefusal(decision)) return decision
    this.append(decision.entries, actor)
    return null
  }

  close(): void {
    this.db.raw.exec('ROLLBACK')
    spare = this.db
  }
}
