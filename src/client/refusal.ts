import type { ErrorCode } from '../core/kernel/error-table.ts'
import { MusterError } from '../core/kernel/errors.ts'
import { STATUS } from '../core/delos/wire/grpc/status.ts'
import type { RpcError } from '../core/delos/wire/service.ts'
import { KV_ERRORS } from '../core/delos/kv/errors.ts'

const CODES: Partial<Record<number, ErrorCode>> = {
  [STATUS.notFound]: 'DELOS_LEASE_UNKNOWN',
  [STATUS.permissionDenied]: 'NOT_PERMITTED',
  [STATUS.unauthenticated]: 'NOT_PERMITTED',
  [STATUS.outOfRange]: 'DELOS_REVISION',
  [STATUS.unavailable]: 'DELOS_NO_QUORUM',
}

const NOT_PERMITTED_TEXTS: readonly string[] = [KV_ERRORS.authFailed.text, KV_ERRORS.userEmpty.text]

/** A refusal of the store as an error: etcd's text is the message, gRPC's code is in `details.grpc`. */
export function refusal({ code, text }: RpcError): MusterError {
  const kind = NOT_PERMITTED_TEXTS.includes(text) ? 'NOT_PERMITTED' : (CODES[code] ?? 'DELOS_REFUSED')
  const options = kind === 'NOT_PERMITTED' ? { hint: 'Check --user, and what its roles allow.' } : {}
  return new MusterError(kind, text, { ...options, details: { grpc: code } })
}

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
