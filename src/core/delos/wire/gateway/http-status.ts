import type { RpcError } from '../service.ts'

/** HTTP status by gRPC code, as grpc-gateway maps them. */
const HTTP_STATUS = [200, 408, 500, 400, 504, 404, 409, 403, 429, 412, 409, 400, 501, 500, 503, 500, 401]

export const httpStatusOf = (code: number): number => HTTP_STATUS[code] ?? 500

/** The body of an error: the text twice, as etcd's gateway has it. */
export const errorBody = ({ code, text }: RpcError): string => JSON.stringify({ error: text, message: text, code })

/** The last line of a stream that failed. */
export const streamErrorLine = ({ code, text }: RpcError, reason: string): string =>
  `${JSON.stringify({ error: { grpc_code: code, http_code: httpStatusOf(code), message: text, http_status: reason } })}\n`
