import type { MusterError } from '../../kernel/errors.ts'
import type * as m from '../wire/messages.ts'
import type { EtcdService, Streaming, Unary } from '../wire/service.ts'

/** The calls of etcd's API that programs make. Of the keepalive's stream they want one answer. */
type MethodName =
  | 'KV/Range'
  | 'KV/Txn'
  | 'KV/Compact'
  | 'Lease/LeaseGrant'
  | 'Lease/LeaseRevoke'
  | 'Lease/LeaseKeepAlive'
  | 'Lease/LeaseTimeToLive'
  | 'Lease/LeaseLeases'

type MessagesOf<Name extends MethodName> =
  EtcdService[Name] extends Unary<infer Request, infer Response>
    ? { request: Request; response: Response }
    : EtcdService[Name] extends Streaming<infer Request, infer Response>
      ? { request: Request; response: Response }
      : never

/** What asking twice does: nothing, the same once more, or perhaps something else. */
export type Effect = 'read' | 'repeatable' | 'once'

export interface Asked {
  method: MethodName
  request: unknown
  effect: Effect
}

/**
 * How an operation is asked of a store: one request after the other, each after the answer to the one before. Whoever runs it has the
 * connection: it carries out what is yielded and hands back the answer, or ends the program with the store's refusal, which the
 * program may catch.
 */
export type Program<Out> = Generator<Asked, Out, unknown>

/** One request and its answer: `const found = yield* ask('KV/Range', request)`. */
export function* ask<Name extends MethodName>(
  method: Name,
  request: MessagesOf<Name>['request'],
  effect: Effect = 'read',
): Program<MessagesOf<Name>['response']> {
  return (yield { method, request, effect }) as MessagesOf<Name>['response']
}

/** What would change, as `--plan` shows it. */
export interface StorePlan {
  /** the store's, when it was looked at */
  revision: number
  entries: { type: string; body: unknown }[]
  changes: PlanRow[]
  /** hold as long as what the plan touches stands as it was */
  guard: m.Compare[]
}

export interface PlanRow {
  table: string
  op: 'insert' | 'update' | 'delete'
  before: Record<string, unknown> | null
  after: Record<string, unknown> | null
}

/** An operation on a store. */
export interface StoreOperation<In, Out> {
  /** `guard`: refuse with PLAN_STALE unless it holds */
  run: (input: In, guard: readonly m.Compare[]) => Program<Out | MusterError>
  /** null: it changes nothing, or nothing that could be shown before */
  plan: ((input: In) => Program<StorePlan | MusterError>) | null
}
