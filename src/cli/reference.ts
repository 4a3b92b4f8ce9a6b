import type { z } from 'zod'
import type { ActionDef, CommandDef, QueryDef } from '../core/contracts/operation.ts'

export type AnyOperation = CommandDef | QueryDef | ActionDef

/**
 * An operation by its name, with the way to its definition. A read that the server answers needs only the name: the
 * definition brings the schema library, which costs more than the whole request. A test holds that the two agree.
 */
export interface OperationRef<In = unknown, Out = unknown> {
  name: string
  load: () => Promise<AnyOperation>
  /** only for types; never there */
  readonly types?: { input: In; output: Out }
}

type InOf<Op> = Op extends { input: infer S extends z.ZodType } ? z.input<S> : never
type OutOf<Op> = Op extends { output: infer S extends z.ZodType } ? z.output<S> : never

/** `remote('tw.task.list', async () => (await import('../../core/tw/operations.ts')).taskList)` */
export function remote<Op extends { input: z.ZodType; output: z.ZodType }>(
  name: string,
  load: () => Promise<Op>,
): OperationRef<InOf<Op>, OutOf<Op>> {
  return { name, load: load as unknown as () => Promise<AnyOperation> }
}

export type InputOf<Ref> = Ref extends OperationRef<infer In> ? In : never
export type OutputOf<Ref> = Ref extends OperationRef<unknown, infer Out> ? Out : never
