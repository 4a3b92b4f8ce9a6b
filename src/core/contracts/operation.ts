import type { z } from 'zod'
import type { MusterError } from '../kernel/errors.ts'
import type { Proposal } from './entry.ts'
import type { ReadDb } from './storage.ts'

export type Role = 'viewer' | 'operator' | 'approver' | 'admin'
/** low: just done; medium: y/N or --yes; high: the target's name is typed (`confirmName`). */
export type Danger = 'none' | 'low' | 'medium' | 'high'

/** Who asks, and when. `now` is log time in ms; `position` is where the first entry will stand. */
export interface OpContext {
  now: number
  actor: string
  role: Role
  position: number
  /** what the server keeps beside the state for the operation; undefined where nothing is kept: all is then read from the state */
  soft?: unknown
}

/** What a command decides: entries to append (all or none), and what to answer once they are applied. */
export interface Decision<Out> {
  entries: Proposal[]
  reply: (db: ReadDb) => Out
  /** said beside the answer: things that are not errors but should be read */
  warnings?: string[]
}

interface Common<In extends z.ZodType, Out extends z.ZodType> {
  /** `<system>.<noun>.<verb>`; the REST route is `/v1/<system>/<noun>/<verb>` */
  name: string
  /** one sentence, imperative, for help, OpenAPI and audit */
  summary: string
  role: Role
  danger: Danger
  input: In
  output: Out
  /** the name to be typed when danger is high */
  confirmName?: (input: z.output<In>) => string
}

/** Changes state, by entries alone. `decide` is pure and runs inside the sequencer, on the newest state. */
export interface CommandDef<In extends z.ZodType = z.ZodType, Out extends z.ZodType = z.ZodType> extends Common<In, Out> {
  kind: 'command'
  decide: (db: ReadDb, input: z.output<In>, ctx: OpContext) => Decision<z.input<Out>> | MusterError
}

/** Reads state. */
export interface QueryDef<In extends z.ZodType = z.ZodType, Out extends z.ZodType = z.ZodType> extends Common<In, Out> {
  kind: 'query'
  answer: (db: ReadDb, input: z.output<In>, ctx: OpContext) => z.input<Out> | MusterError
}

/** Carried out by an adapter of the server (the column store, a node, the disk): core says only its shape. */
export interface ActionDef<In extends z.ZodType = z.ZodType, Out extends z.ZodType = z.ZodType> extends Common<In, Out> {
  kind: 'action'
  /** whether it changes something: decides the HTTP method and whether it is audited */
  isMutation: boolean
  /** its adapter can say what would change (`--plan`) and do just that (`--apply`) */
  hasPlan?: boolean
}

export type Operation = CommandDef | QueryDef | ActionDef

type Defaults = 'role' | 'danger' | 'kind'
type Loose<T> = Omit<T, Defaults> & Partial<Pick<T & { role: Role; danger: Danger }, 'role' | 'danger'>>

export function defineCommand<In extends z.ZodType, Out extends z.ZodType>(def: Loose<CommandDef<In, Out>>): CommandDef<In, Out> {
  return { role: 'operator', danger: 'low', ...def, kind: 'command' }
}

export function defineQuery<In extends z.ZodType, Out extends z.ZodType>(def: Loose<QueryDef<In, Out>>): QueryDef<In, Out> {
  return { role: 'viewer', danger: 'none', ...def, kind: 'query' }
}

export function defineAction<In extends z.ZodType, Out extends z.ZodType>(def: Loose<ActionDef<In, Out>>): ActionDef<In, Out> {
  return { role: def.isMutation ? 'operator' : 'viewer', danger: def.isMutation ? 'low' : 'none', ...def, kind: 'action' }
}

/** `tw.job.run` → `/v1/tw/job/run` */
export function routeOf(name: string): string {
  return `/v1/${name.replaceAll('.', '/')}`
}
