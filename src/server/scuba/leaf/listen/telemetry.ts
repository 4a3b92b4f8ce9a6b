import type { IncomingMessage, ServerResponse } from 'node:http'
import { isRefusal, refuse, type MusterError } from '../../../../core/kernel/errors.ts'
import { codecOf } from '../../../../core/kernel/protobuf/codec.ts'
import { encode } from '../../../../core/kernel/protobuf/encode.ts'
import { DECODE } from '../../../../core/scuba/decode/limits.ts'
import type { OtlpEncoding, Signal } from '../../../../core/scuba/decode/otlp/decode.ts'
import { EXPORT_ANSWER, RPC_STATUS } from '../../../../core/scuba/decode/otlp/messages.ts'
import { NO_ADMISSION, senderOf, type Admission } from '../quotas.ts'
import { readWhole } from './body.ts'
import { nameOfSender } from '../sender-name.ts'
import { retryAfterSeconds, take, type Intake } from './take.ts'

/**
 * The routes that other people's programs speak, on the leaf's socket and on its ports: `POST /v1/{logs,metrics,traces}` (OTLP/HTTP 1.x) and
 * `POST /api/v1/write` (Prometheus remote-write 1.0). Each answers in the words of its own protocol.
 */
export function telemetryRoute(
  path: string,
): ((intake: Intake, request: IncomingMessage, response: ServerResponse) => Promise<void>) | null {
  const signal = /^\/v1\/(logs|metrics|traces)$/.exec(path)?.[1] as Signal | undefined
  if (signal !== undefined) return (intake, request, response) => otlp(intake, signal, request, response)
  return path === '/api/v1/write' ? remoteWrite : null
}

const TYPES: Record<OtlpEncoding, string> = { json: 'application/json', protobuf: 'application/x-protobuf' }
const REJECTED: Record<Signal, string> = { logs: 'rejectedLogRecords', metrics: 'rejectedDataPoints', traces: 'rejectedSpans' }

async function otlp(intake: Intake, signal: Signal, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const type = typeOf(request)
  const encoding: OtlpEncoding | null = type === TYPES.json ? 'json' : type === TYPES.protobuf ? 'protobuf' : null
  try {
    if (encoding === null)
      throw refuse('SCUBA_BODY_INVALID', `the content type ${JSON.stringify(type)} is none of OTLP`, {
        hint: `Send ${TYPES.protobuf} or ${TYPES.json}.`,
        details: { status: 415 },
      })
    const contentEncoding = (request.headers['content-encoding'] ?? 'identity').toLowerCase()
    const body = await readWhole(request, DECODE.bodyBytesMax)
    const admission = admit(intake, signal, request, body.length)
    const read = await intake.decoders.decode({ kind: 'otlp', signal, encoding, contentEncoding, body })
    const receipt = await take(intake, { ...read, body: bufferOf(read.body), sender: senderAt('otlp', request) }, read.key, admission)
    const rejected = read.rejected + (receipt?.quarantined ?? 0)
    const reason = read.reason === '' ? (receipt?.firstErrors[0]?.reason ?? '') : read.reason
    const partial = rejected === 0 ? null : { rejected: BigInt(rejected), error_message: reason }
    const answer =
      encoding === 'protobuf'
        ? encode(codecOf(EXPORT_ANSWER), { partial_success: partial })
        : JSON.stringify(partial === null ? {} : { partialSuccess: { [REJECTED[signal]]: String(rejected), errorMessage: reason } })
    end(response, 200, TYPES[encoding], answer)
  } catch (error) {
    const refusal = asRefusal(intake, error)
    const status = statusOf(refusal)
    const body = { code: STATUS_CODES[status] ?? 2, message: told(refusal) }
    const answer = encoding === 'protobuf' ? encode(codecOf(RPC_STATUS), body) : JSON.stringify(body)
    if (status === 503) response.setHeader('retry-after', String(retryAfterSeconds(refusal)))
    // The rest of a body that is not wanted is not read; so the connection is of no more use.
    if (!request.complete) response.setHeader('connection', 'close')
    end(response, status, TYPES[encoding ?? 'json'], answer)
    if (!request.complete) request.destroy()
  }
}

/** `google.rpc.Code` of an HTTP status. */
const STATUS_CODES: Record<number, number> = { 400: 3, 413: 3, 415: 3, 503: 14, 500: 13 }

async function remoteWrite(intake: Intake, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const proto = /proto=([\w.]+)/.exec(request.headers['content-type'] ?? '')?.[1] ?? 'prometheus.WriteRequest'
    if (typeOf(request) !== TYPES.protobuf || proto !== 'prometheus.WriteRequest' || request.headers['content-encoding'] !== 'snappy')
      throw refuse('SCUBA_BODY_INVALID', 'this is not remote-write 1.0', {
        hint: 'Send content type application/x-protobuf, encoding snappy, message prometheus.WriteRequest.',
        details: { status: 415 },
      })
    const body = await readWhole(request, DECODE.bodyBytesMax)
    const admission = admit(intake, 'metrics', request, body.length)
    const read = await intake.decoders.decode({ kind: 'remote-write', body })
    const receipt = await take(
      intake,
      { ...read, body: bufferOf(read.body), sender: senderAt('remote-write', request) },
      read.key,
      admission,
    )
    const rejected = read.rejected + (receipt?.quarantined ?? 0)
    if (rejected === 0) return void response.writeHead(204).end()
    // What could be kept is kept. 400, which no sender repeats, tells of the rest: it can never succeed.
    const reason = read.reason === '' ? (receipt?.firstErrors[0]?.reason ?? '') : read.reason
    end(response, 400, 'text/plain', `${rejected} samples were not kept, the first because of: ${reason}\n`)
  } catch (error) {
    const refusal = asRefusal(intake, error)
    const status = statusOf(refusal)
    if (status === 503) response.setHeader('retry-after', String(retryAfterSeconds(refusal)))
    if (!request.complete) response.setHeader('connection', 'close')
    end(response, status, 'text/plain', `${told(refusal)}\n`)
    if (!request.complete) request.destroy()
  }
}

/** Before it is decoded: that costs more than the rest. @throws SCUBA_QUOTA */
function admit({ store }: Intake, table: string, { headers }: IncomingMessage, bytes: number): Admission {
  const { token, isHandedOn } = senderOf(headers)
  return isHandedOn ? NO_ADMISSION : store.quotas.admit(table, token, bytes)
}

/** On the server's API the caller's name, on a port the address. */
const senderAt = (way: string, { headers, socket }: IncomingMessage): string =>
  nameOfSender(headers, `${way} ${socket.remoteAddress ?? 'socket'}`)

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** 503 for all that may succeed later: Prometheus drops what is answered 429, and gives up on any other 4xx. */
function statusOf(refusal: MusterError): number {
  const { status } = (refusal.details ?? {}) as { status?: number }
  if (status !== undefined) return status
  if (refusal.exit === 6) return 503
  if (refusal.code === 'SCUBA_TOO_LARGE') return 413
  return refusal.exit === 2 ? 400 : 500
}

function asRefusal({ store }: Intake, error: unknown): MusterError {
  if (isRefusal(error)) return error
  store.log.error('bug', { stack: (error as Error).stack })
  return refuse('INTERNAL', (error as Error).message, { cause: error })
}

const told = ({ message, hint }: MusterError): string => (hint === '' ? message : `${message}. ${hint}`)

const typeOf = ({ headers }: IncomingMessage): string => (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? ''

function end(response: ServerResponse, status: number, type: string, body: string | Uint8Array): void {
  if (response.headersSent || response.destroyed) return
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  response.writeHead(status, { 'content-type': type, 'content-length': bytes.length }).end(bytes)
}
