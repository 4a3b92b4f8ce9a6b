import type { System } from '../../core/contracts/controller.ts'
import type { Entry, EntryDef, Proposal } from '../../core/contracts/entry.ts'
import type { Db } from '../../core/contracts/storage.ts'
import { assert, BugError } from '../../core/kernel/assert.ts'
import { refuse } from '../../core/kernel/errors.ts'

/** Applies entries of a set of systems to their tables. */
export interface EntryRegistry {
  /** Checks a proposal's body and makes it an entry; a body that does not fit is a bug of its proposer. */
  seal: (db: Db, proposal: Proposal, meta: { position: number; at: number; actor: string; trace: string | undefined }) => Entry
  /** Changes the tables. Throws STATE_NEWER for an entry this version does not know. */
  apply: (db: Db, entry: Entry) => void
}

export function createEntryRegistry(systems: readonly System[]): EntryRegistry {
  const defs = new Map<string, EntryDef>()
  for (const system of systems) {
    for (const def of system.entries) {
      assert(def.type.startsWith(`${system.name}.`), `entry ${def.type} is not named after its system ${system.name}`)
      assert(!defs.has(def.type), `entry ${def.type} is defined twice`)
      defs.set(def.type, def)
    }
  }
  const observers = systems.flatMap((system) => (system.observe ? [system.observe] : []))
  return {
    seal: (db, proposal, meta) => {
      const def = defs.get(proposal.type)
      assert(def, `no entry of type ${proposal.type}`)
      const parsed = def.body.safeParse(proposal.body)
      if (!parsed.success) throw new BugError(`body of ${proposal.type}: ${parsed.error.message}`)
      const entry: Entry = { position: meta.position, type: def.type, v: def.version, at: meta.at, actor: meta.actor, body: parsed.data }
      const notable = def.notable?.(parsed.data, db)
      if (notable) entry.notable = notable
      if (meta.trace) entry.trace = meta.trace
      return entry
    },
    apply: (db, entry) => {
      const def = defs.get(entry.type)
      if (!def || entry.v > def.version) {
        throw refuse('STATE_NEWER', `entry ${entry.position} is a ${entry.type} of version ${entry.v}, which this version does not know`)
      }
      def.apply(db, entry.body, entry)
      for (const observe of observers) observe(db, entry)
    },
  }
}
