import type { Handler } from '../leaf/http.ts'
import { WRITTEN, gone, json, parse } from '../leaf/http-body.ts'
import { askerOf } from '../leaf/ask-routes.ts'
import { reread } from '../leaf/reread.ts'
import { ownPartials } from './own-partials.ts'
import { ownRows } from './own-rows.ts'
import { ROWS_HEAD, partialsRequestSchema, rowsRequestSchema } from './wire.ts'

/** Whose files may be looked through when they cannot be read: not those of a copy, whose leaf answers for itself. */
const ownTables = ({ copy }: { copy?: unknown }, table: string): string[] => (copy === undefined ? [table] : [])

/** What a leaf answers other leaves. */
export const PEER_ROUTES: [method: string, path: RegExp, handler: Handler][] = [
  [
    'POST',
    /^\/v1\/scuba\/partials$/,
    async (leaf, request, response) => {
      const asked = parse(partialsRequestSchema, await json(request))
      const signal = gone(response)
      return reread(leaf.store, ownTables(asked, asked.request.table), () => ownPartials(leaf, asked, signal, askerOf(request)), signal)
    },
  ],
  [
    'POST',
    /^\/v1\/scuba\/rows$/,
    async (leaf, request, response) => {
      const asked = parse(rowsRequestSchema, await json(request))
      const { head, body } = await reread(leaf.store, ownTables(asked, asked.table), () => ownRows(leaf, asked), gone(response))
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
