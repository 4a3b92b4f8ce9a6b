import { createHash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import { gunzipSync, inflateSync } from 'node:zlib'
import { isRefusal, refuse, type ErrorBody, type MusterError } from '../../../../core/kernel/errors.ts'
import { DECODE } from '../../../../core/scuba/decode/limits.ts'
import { decodeOtlp, type OtlpEncoding, type Signal } from '../../../../core/scuba/decode/otlp/decode.ts'
import { decodeExposition } from '../../../../core/scuba/decode/prometheus/exposition.ts'
import { decodeRemoteWrite } from '../../../../core/scuba/decode/prometheus/remote-write.ts'
import type { Decoded } from '../../../../core/scuba/decode/rows.ts'

/** A thread that makes rows of bodies, so that the leaf goes on taking others in and answering meanwhile. */

export type DecodeJob =
  | { kind: 'otlp'; signal: Signal; encoding: OtlpEncoding; contentEncoding: string; body: Uint8Array }
  | { kind: 'remote-write'; body: Uint8Array }
  | { kind: 'exposition'; format: 'text' | 'openmetrics'; atMs: number; labels: Record<string, string>; body: Uint8Array }

export interface DecodedBody {
  table: string
  /** NDJSON */
  body: Uint8Array
  /** of each line, of which slot its series is; only of samples */
  slots?: Uint16Array
  rows: number
  rejected: number
  reason: string
  /** SHA-256 of the body as it came, hex: its senders repeat the same bytes, so it is their idempotency key */
  key: string
  /** of an exposition: its series by hash, and how many samples there were */
  series?: Map<string, { name: string; labels: [string, string][] }>
}

export type DecodeAnswer = { id: number } & ({ done: DecodedBody } | { error: ErrorBody })

function decode(job: DecodeJob): DecodedBody | MusterError {
  const read = readJob(job)
  if (isRefusal(read)) return read
  const body = Buffer.from(read.lines.length === 0 ? '' : `${read.lines.join('\n')}\n`)
  return {
    table: read.table,
    body: body.byteLength === body.buffer.byteLength ? body : new Uint8Array(body),
    ...(read.slots === undefined ? {} : { slots: Uint16Array.from(read.slots) }),
    rows: read.lines.length,
    rejected: read.rejected,
    reason: read.reason,
    key: createHash('sha256').update(job.body).digest('hex'),
    ...('series' in read ? { series: read.series } : {}),
  }
}

function readJob(job: DecodeJob): (Decoded & { series?: DecodedBody['series'] & object }) | MusterError {
  switch (job.kind) {
    case 'otlp': {
      const body = inflated(job.body, job.contentEncoding)
      return isRefusal(body) ? body : decodeOtlp(job.signal, job.encoding, body)
    }
    case 'remote-write':
      return decodeRemoteWrite(job.body)
    case 'exposition':
      return decodeExposition(new TextDecoder().decode(job.body), job)
  }
}

function inflated(body: Uint8Array, encoding: string): Uint8Array | MusterError {
  try {
    if (encoding === 'identity' || encoding === '') return body
    if (encoding === 'gzip') return gunzipSync(body, { maxOutputLength: DECODE.inflatedBytesMax })
    if (encoding === 'deflate') return inflateSync(body, { maxOutputLength: DECODE.inflatedBytesMax })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      return refuse('SCUBA_TOO_LARGE', `the body is larger than ${DECODE.inflatedBytesMax / 1024 / 1024} MiB when inflated`)
    return refuse('SCUBA_BODY_INVALID', `the body is not ${encoding}: ${(error as Error).message}`)
  }
  return refuse('SCUBA_BODY_INVALID', `the encoding ${encoding} is not known`, { hint: 'Use gzip, deflate or none.' })
}

parentPort?.on('message', ({ id, job }: { id: number; job: DecodeJob }) => {
  const read = decode(job)
  const answer: DecodeAnswer = isRefusal(read) ? { id, error: read.toJSON() } : { id, done: read }
  parentPort?.postMessage(answer, 'done' in answer ? [answer.done.body.buffer as ArrayBuffer] : [])
})
