import { z } from 'zod'
import { LIMITS } from '../../../core/scuba/limits.ts'
import { SHARD_HEAD } from '../../../core/scuba/shards/fence.ts'
import type { Handler } from '../leaf/http.ts'
import { WRITTEN, json, parse, parseJson, readBody } from '../leaf/http-body.ts'
import { asideBatches, asideFolders, asideRecords, dropAside, noteBack } from './aside-folders.ts'
import { BACK_HEAD, backHeadSchema, takeBack } from './merge-aside.ts'

const backSchema = z.object({ seqs: z.array(z.int().positive()), isSettled: z.boolean() })
const afterOf = ({ searchParams }: URL): number => Number(searchParams.get('after') ?? 0) || 0

/** What a leaf answers the one that puts back what it set aside. */
export const ASIDE_ROUTES: [method: string, path: RegExp, handler: Handler][] = [
  ['GET', /^\/v1\/scuba\/aside$/, async ({ store, held }) => ({ folders: asideFolders(store.dir), taken: held.taken() })],
  [
    'GET',
    /^\/v1\/scuba\/aside\/([^/]+)\/batches$/,
    async ({ store }, _request, _response, url, name) => ({ batches: asideBatches(store, name, afterOf(url)) }),
  ],
  [
    'GET',
    /^\/v1\/scuba\/aside\/([^/]+)\/records$/,
    async ({ store }, _request, response, url, name) => {
      const bytes = await asideRecords(store, name, afterOf(url))
      response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': bytes.length }).end(bytes)
      return WRITTEN
    },
  ],
  [
    'POST',
    /^\/v1\/scuba\/aside\/([^/]+)\/back$/,
    async ({ store }, request, _response, _url, name) => noteBack(store.dir, name, parse(backSchema, await json(request))),
  ],
  ['DELETE', /^\/v1\/scuba\/aside\/([^/]+)$/, async ({ store }, _request, _response, _url, name) => (dropAside(store.dir, name), {})],
  [
    'POST',
    /^\/v1\/scuba\/aside-rows$/,
    async (leaf, request) => {
      const head = parse(backHeadSchema, parseJson(decodeURIComponent(String(request.headers[BACK_HEAD] ?? '%7B%7D'))))
      const shard = request.headers[SHARD_HEAD]
      const body = await readBody(request, LIMITS.inflatedBytesMax)
      return takeBack(leaf, head, body, typeof shard === 'string' ? shard : undefined)
    },
  ],
]
