import type { z } from 'zod'
import type { Db } from './storage.ts'

/** Mark of entries that a person should find in an incident; sev reads it, nobody calls sev for it. */
export interface Notable {
  system: string
  /** short kind in the field's words: `deploy`, `rollback`, `chaos`, `node-lost`, `alert`, … */
  kind: string
  /** what it happened to: a rollout, node, task, rule */
  target: string
  /** the service it concerns, or null */
  service: string | null
  /** one line for people */
  text: string
}

/** A change that is proposed: the sequencer adds position, time and actor. */
export interface Proposal {
  /** `<system>.<Name>`, e.g. `tw.NodeLost` */
  type: string
  body: unknown
}

/** A durable change. Positions start at 1, grow by one an entry and are never reused. */
export interface Entry<Body = unknown> {
  position: number
  type: string
  /** version of the body's form */
  v: number
  /** log time in ms: max(previous, proposer's clock) */
  at: number
  /** `user:anna`, `agent:n1`, `controller:tw.reconcile` */
  actor: string
  body: Body
  notable?: Notable
  /** what caused it, `TRACE-SPAN`, see kernel/trace.ts */
  trace?: string
}

/** What `apply` may know besides the body. */
export type EntryMeta = Pick<Entry, 'position' | 'at' | 'actor' | 'trace'>

export interface EntryDef<S extends z.ZodType = z.ZodType> {
  type: string
  version: number
  body: S
  notable?: (body: z.output<S>, db: Db) => Notable | null
  /** Deterministic: reads only `db`, the body and the meta; writes only its own system's tables. */
  apply: (db: Db, body: z.output<S>, meta: EntryMeta) => void
}

/** A typed entry: {@link EntryDef.body} checks every proposal before it is logged. */
export function defineEntry<S extends z.ZodType>(def: {
  type: string
  version?: number
  body: S
  notable?: (body: z.output<S>, db: Db) => Notable | null
  apply: (db: Db, body: z.output<S>, meta: EntryMeta) => void
}): EntryDef<S> & { of: (body: z.input<S>) => Proposal } {
  return { ...def, version: def.version ?? 1, of: (body) => ({ type: def.type, body }) }
}
