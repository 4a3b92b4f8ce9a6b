import type { ClientRequest, IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { Effect } from '../core/contracts/controller.ts'
import type { Entry, Proposal } from '../core/contracts/entry.ts'
import type { CommandDef, Role } from '../core/contracts/operation.ts'
import type { ReadDb } from '../core/contracts/storage.ts'
import type { MusterError } from '../core/kernel/errors.ts'
import type { StatePaths } from '../platform/paths.ts'
import type { Logger } from '../platform/logger.ts'
import type { z } from 'zod'
import type { ServersOfLeaves } from './scuba/server-leaves.ts'

/** What the adapters of a system get from the control-plane process. */
export interface ServerHost {
  paths: StatePaths
  log: Logger
  /** committed state; never inside somebody's transaction */
  db: ReadDb
  /** position after the last entry that `db` has applied */
  position: () => number
  /** log time, ms */
  now: () => number
  /** Runs a command through the sequencer; rejects with MusterError when refused. Resolves once durable and applied. */
  run: <In extends z.ZodType, Out extends z.ZodType>(
    command: CommandDef<In, Out>,
    input: z.input<In>,
    actor: string,
  ) => Promise<z.output<Out>>
  /** Appends what `decide` proposes on the newest state; an empty array appends nothing. */
  propose: (actor: string, decide: (db: ReadDb, now: number) => Proposal[] | MusterError) => Promise<Entry[]>
  /** Called after each committed batch, in order. Gives the function that ends it. */
  onEntries: (listener: (entries: readonly Entry[]) => void) => () => void
  /** Soft state changed: run this controller soon. */
  wake: (controller: string) => void
  /** A request to the control socket of a node's agent, wherever it is. */
  askAgent: (node: string, options: { path: string; method: string }, answer: (response: IncomingMessage) => void) => ClientRequest
  /** the servers of the fleet, each with a leaf of its own; without: there is this one */
  servers?: ServersOfLeaves
  /** Queues a row of muster's own telemetry for a `muster_…` table of scuba; never blocks, may be dropped (counted). */
  telemetry: (table: string, row: Record<string, unknown>) => void
}

export interface ActionContext {
  actor: string
  role: Role
  /** aborted when the caller goes away */
  signal: AbortSignal
}

/** How an action is asked for. */
export interface Wish {
  /** look what would change, and change nothing */
  isPlan: boolean
  /** id of the plan that this has to be; undefined: whatever it is now */
  apply: string | undefined
}

/** What `server/<system>/wire.ts` gives the server for its system. All parts are optional. */
export interface Wiring {
  /** controller name → its soft view, read at each decision */
  soft?: Record<string, () => unknown>
  /** operation name → what its context carries as `soft`, read at each request */
  operationSoft?: Record<string, () => unknown>
  /** effect kind → adapter; the outcome entries it gives are appended. A rejection is logged and tried again (1 s … 30 s). */
  effects?: Record<string, (effect: Effect, signal: AbortSignal) => Promise<Proposal[]>>
  /** of actions that can be planned (`hasPlan`), as of `actions`: what was done, or what would be */
  plannedActions?: Record<string, (input: unknown, context: ActionContext, wish: Wish) => Promise<{ value: unknown; plan: object | null }>>
  /** action name → its implementation; a thrown MusterError is the answer */
  // eslint-disable-next-line typescript/no-explicit-any -- inputs were checked by the action's schema
  actions?: Record<string, (input: any, context: ActionContext) => Promise<unknown>>
  /** query name → told of each question and its answer, before it goes out */
  // eslint-disable-next-line typescript/no-explicit-any -- both were made by the query's schemas
  answered?: Record<string, (input: any, answer: any) => void>
  /** routes beyond the operations: uploads, streams, other people's protocols */
  routes?: (app: FastifyInstance) => void
  start?: () => Promise<void>
  stop?: () => Promise<void>
}
