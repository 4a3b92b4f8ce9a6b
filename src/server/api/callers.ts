import type { FastifyRequest } from 'fastify'
import { assert } from '../../core/kernel/assert.ts'
import type { Caller } from './roles.ts'

const CALLERS = new WeakMap<object, Caller>()

/** Who was found to ask, before anything else is looked at. */
export function setCaller(request: FastifyRequest, caller: Caller): void {
  CALLERS.set(request.raw, caller)
}

export function callerOf(request: FastifyRequest): Caller {
  const caller = CALLERS.get(request.raw)
  assert(caller, 'a request without a caller')
  return caller
}
