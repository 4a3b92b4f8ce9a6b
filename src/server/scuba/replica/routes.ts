import { refuse } from '../../../core/kernel/errors.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import type { Handler } from '../leaf/http.ts'
import { WRITTEN, parse, parseJson, readBody } from '../leaf/http-body.ts'
import { askedSchema, batchesHeadSchema, COPY_HEAD, putCopySchema, segmentHeadSchema } from './wire.ts'

/** Largest file of a segment, and longest list of segments and keys. */
const BYTES_MAX = 1024 * 1024 * 1024

const headOf = (headers: Readonly<Record<string, unknown>>): unknown => parseJson(String(headers[COPY_HEAD] ?? '{}'))

const fileOf = (path: string): string => {
  const file = decodeURIComponent(path.slice(path.lastIndexOf('/') + 1))
  if (!/^[a-z0-9_]+(-[a-z0-9]+){3}\.parquet$/.test(file)) throw refuse('USAGE', `${JSON.stringify(file)} is no name of a segment`)
  return file
}

/** What a leaf does for one whose rows it holds a copy of. */
export const REPLICA_ROUTES: [method: string, path: RegExp, handler: Handler][] = [
  [
    'GET',
    /^\/v1\/scuba\/replica\/([^/]+)$/,
    async ({ held }, request, _response, _url, of) => held.of(of, parse(askedSchema, headOf(request.headers)).epochs).answer(),
  ],
  [
    'PUT',
    /^\/v1\/scuba\/replica\/([^/]+)$/,
    async ({ held }, request, _response, _url, of) => {
      const { copy, keys } = parse(putCopySchema, parseJson((await readBody(request, BYTES_MAX)).toString('utf8')))
      return held.of(of, copy.epochs).settle(copy, keys)
    },
  ],
  [
    'POST',
    /^\/v1\/scuba\/replica\/([^/]+)\/batches$/,
    async ({ held }, request, _response, _url, of) => {
      const head = parse(batchesHeadSchema, headOf(request.headers))
      const bytes = await readBody(request, LIMITS.requestBytesMax + LIMITS.replicaWaitingBytesMax)
      return held.of(of, head.epochs).take(head, bytes)
    },
  ],
  [
    'PUT',
    /^\/v1\/scuba\/replica\/([^/]+)\/segments\/[^/]+$/,
    async ({ held }, request, _response, { pathname }, of) => {
      const { sha256 } = parse(segmentHeadSchema, headOf(request.headers))
      await held.of(of, undefined).putSegment(fileOf(pathname), sha256, await readBody(request, BYTES_MAX))
      return {}
    },
  ],
  [
    'GET',
    /^\/v1\/scuba\/replica\/([^/]+)\/segments\/[^/]+$/,
    async ({ held }, _request, response, { pathname }, of) => {
      const bytes = await held.of(of, undefined).segment(fileOf(pathname))
      if (bytes === null) throw refuse('NOT_FOUND', 'the copy has no such segment')
      response.writeHead(200, { 'content-type': 'application/vnd.apache.parquet', 'content-length': bytes.length })
      response.end(bytes)
      return WRITTEN
    },
  ],
]
