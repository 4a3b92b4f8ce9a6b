import type { ErrorCode } from '../../kernel/error-table.ts'
import { MusterError } from '../../kernel/errors.ts'
import { KV_ERRORS } from '../kv/errors.ts'
import { STATUS } from './grpc/status.ts'
import type { RpcError } from './service.ts'

const BY_STATUS: Partial<Record<number, ErrorCode>> = {
  [STATUS.notFound]: 'DELOS_LEASE_UNKNOWN',
  [STATUS.permissionDenied]: 'NOT_PERMITTED',
  [STATUS.unauthenticated]: 'NOT_PERMITTED',
  [STATUS.outOfRange]: 'DELOS_REVISION',
  [STATUS.unavailable]: 'DELOS_NO_QUORUM',
}

/** Those that their status does not tell apart. */
const BY_TEXT: Record<string, ErrorCode> = {
  [KV_ERRORS.authFailed.text]: 'NOT_PERMITTED',
  [KV_ERRORS.userEmpty.text]: 'NOT_PERMITTED',
  [KV_ERRORS.leaseExists.text]: 'DELOS_CONFLICT',
  [KV_ERRORS.noSpace.text]: 'DISK_FULL',
}

/** A refusal of the store as an error: etcd's text is the message, gRPC's code is in `details.grpc`. */
export function refusal({ code, text }: RpcError): MusterError {
  const kind = BY_TEXT[text] ?? BY_STATUS[code] ?? 'DELOS_REFUSED'
  const options = kind === 'NOT_PERMITTED' ? { hint: 'Check --user, and what its roles allow.' } : {}
  return new MusterError(kind, text, { ...options, details: { grpc: code } })
}
