import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { assert } from '../../core/kernel/assert.ts'
import type { Caller } from './roles.ts'

const CALLERS = new WeakMap<object, Caller>()

/** Who was found to ask, before anything else is looked at. */
export function setCaller(request: FastifyRequest, caller: Caller): void {
  CALLERS.set(request.raw, caller)
}

/** The same by whoever takes the request in, in front of an API. */
export function setCallerOf(raw: IncomingMessage, caller: Caller): void {
  CALLERS.set(raw, caller)
}

/** Who was found to ask before the request came here; null: nobody looked. */
export function knownCaller(request: FastifyRequest): Caller | null {
  return CALLERS.get(request.raw) ?? null
}

export function callerOf(request: FastifyRequest): Caller {
  const caller = CALLERS.get(request.raw)
  assert(caller, 'a request without a caller')
  return caller
}
