import type { Handler } from '../leaf/http.ts'
import { WRITTEN, gone, json, parse } from '../leaf/http-body.ts'
import { askerOf } from '../leaf/ask-routes.ts'
import { reread } from '../leaf/reread.ts'
import { ownPartials } from './own-partials.ts'
import { ownRows } from './own-rows.ts'
import { ROWS_HEAD, partialsRequestSchema, rowsRequestSchema } from './wire.ts'

/** What a leaf answers other leaves. */
export const PEER_ROUTES: [method: string, path: RegExp, handler: Handler][] = [
  [
    'POST',
    /^\/v1\/scuba\/partials$/,
    async ({ store, engines, peers }, request, response) => {
      const asked = parse(partialsRequestSchema, await json(request))
      const signal = gone(response)
      return reread(store, [asked.request.table], () => ownPartials(store, engines, peers, asked, signal, askerOf(request)), signal)
    },
  ],
  [
    'POST',
    /^\/v1\/scuba\/rows$/,
    async ({ store, engines }, request, response) => {
      const asked = parse(rowsRequestSchema, await json(request))
      const { head, body } = await reread(store, [asked.table], () => ownRows(store, engines, asked), gone(response))
      response.writeHead(200, {
        'content-type': 'application/vnd.apache.parquet',
        'content-length': body.length,
        [ROWS_HEAD]: JSON.stringify(head),
      })
      response.end(body)
      return WRITTEN
    },
  ],
]
