import { KV_ERRORS } from '../core/delos/kv/errors.ts'
import { STATUS } from '../core/delos/wire/grpc/status.ts'
import type { RpcError } from '../core/delos/wire/service.ts'

export { refusal } from '../core/delos/wire/refusal.ts'

/** The servers say that nothing was done: asking again, also for a change, changes nothing twice. */
export function isNotDone({ text }: RpcError): boolean {
  return text === 'etcdserver: no leader' || text === 'etcdserver: not leader'
}

/** What was asked may or may not have happened: a server that gave up, or is going away. */
export function isUnclear({ code }: RpcError): boolean {
  return code === STATUS.unavailable || code === STATUS.deadlineExceeded || code === STATUS.cancelled
}

/** The token was of a server that has started anew, or is too old: another one is asked for. */
export function isTokenOver({ code, text }: RpcError): boolean {
  return code === STATUS.unauthenticated || text === KV_ERRORS.authRevisionOld.text
}
