import type { Entry, Proposal } from './entry.ts'
import type { Db, ReadDb } from './storage.ts'
import type { EntryDef } from './entry.ts'
import type { RouteDef } from './route.ts'
import type { Operation } from './operation.ts'

/**
 * Something to be done outside: data, carried out by the adapter registered for its kind. Its intent is already in the
 * state; its outcome comes back as an entry. `key` makes it idempotent: one key runs at most once at a time, is run
 * again after a restart while the state still asks for it, and the adapter must bear that.
 */
export interface Effect {
  key: string
  /** `<system>.<verb>`, e.g. `sev.deliver` */
  kind: string
  body: unknown
}

export interface Verdict {
  entries: Proposal[]
  /** log time in ms at which to look again although nothing changed; null: only when woken */
  wakeAt: number | null
}

/**
 * What to do next, given the state and the time. Pure. Runs inside the sequencer on the newest state, so its entries
 * need no lock. `Soft` is what the server measured since (heartbeats, evidence, acknowledgements): it may be lost.
 */
export interface Controller<Soft = unknown> {
  /** `<system>.<name>` */
  name: string
  /** prefixes of entry types that wake it, e.g. `tw.` */
  wakes: readonly string[]
  decide: (db: ReadDb, now: number, soft: Soft) => Verdict
  /** Effects the state asks for now (intent logged, outcome not yet). Recomputed after each change. */
  effects?: (db: ReadDb, now: number, soft: Soft) => Effect[]
}

/** One of the six. Everything the server needs to run it; the registry in `core/systems.ts` lists them. */
export interface System {
  name: string
  /** CREATE TABLE / CREATE INDEX statements; tables are named `<system>_<noun>` */
  tables: readonly string[]
  // eslint-disable-next-line typescript/no-explicit-any -- bodies differ per entry; the registry checks them by schema
  entries: readonly EntryDef<any>[]
  operations: readonly Operation[]
  /** beside the operations: bodies that are passed on as they are */
  routes?: readonly RouteDef[]
  // eslint-disable-next-line typescript/no-explicit-any -- each controller has its own soft view
  controllers: readonly Controller<any>[]
  /** Called after every entry of every system was applied: for sev's timeline. */
  observe?: (db: Db, entry: Entry) => void
}
