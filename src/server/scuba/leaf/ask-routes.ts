import type { IncomingMessage, ServerResponse } from 'node:http'
import type { z } from 'zod'
import {
  diffRequestSchema,
  explainRequestSchema,
  funnelRequestSchema,
  panelRequestSchema,
  queryRequestSchema,
  sessionsRequestSchema,
  traceRequestSchema,
} from '../../../core/scuba/schema.ts'
import type { PanelProgress } from '../../../core/scuba/wire-types.ts'
import { ANYBODY } from './answering.ts'
import { query } from './ask.ts'
import { panel, panelProgress } from './ask-panel.ts'
import type { Handler, Leaf } from './http.ts'
import { explain } from './explain.ts'
import { explainPanel } from './explain-panel.ts'
import { diff, funnel, sessions, trace, type Exploring } from './explore.ts'
import { WRITTEN, gone, json, parse, readBody } from './http-body.ts'
import type { Asker } from './slots.ts'

/** The routes of whoever asks. `x-muster-user` says who it is, `x-muster-urgent` that an alert or guard waits for it. */
export const ASK_ROUTES: [method: string, path: RegExp, handler: Handler][] = [
  [
    'POST',
    /^\/v1\/scuba\/query$/,
    async ({ store, engines }, request, response) =>
      query(store, engines, parse(queryRequestSchema, await json(request)), gone(response), askerOf(request)),
  ],
  [
    'POST',
    /^\/v1\/scuba\/panel$/,
    async ({ store, engines }, request, response) =>
      panel(store, engines, parse(panelRequestSchema, await json(request)), gone(response), askerOf(request)),
  ],
  ['POST', /^\/v1\/scuba\/panel\/stream$/, panelStream],
  ['POST', /^\/v1\/scuba\/board$/, board],
  ['POST', /^\/v1\/scuba\/explain$/, exploring(explainRequestSchema, explain)],
  ['POST', /^\/v1\/scuba\/panel\/explain$/, exploring(panelRequestSchema, explainPanel)],
  ['POST', /^\/v1\/scuba\/diff$/, exploring(diffRequestSchema, diff)],
  ['POST', /^\/v1\/scuba\/funnel$/, exploring(funnelRequestSchema, funnel)],
  ['POST', /^\/v1\/scuba\/sessions$/, exploring(sessionsRequestSchema, sessions)],
  ['POST', /^\/v1\/scuba\/trace$/, exploring(traceRequestSchema, trace)],
]

function exploring<S extends z.ZodType>(schema: S, answer: (exploring: Exploring, request: z.output<S>) => Promise<unknown>): Handler {
  return async ({ store, engines }, request, response) =>
    answer({ store, engines, signal: gone(response), asker: askerOf(request) }, parse(schema, await json(request)))
}

export function askerOf({ headers }: IncomingMessage): Asker {
  const user = headers['x-muster-user']
  return { user: typeof user === 'string' && user !== '' ? user.slice(0, 200) : ANYBODY.user, isUrgent: headers['x-muster-urgent'] === '1' }
}

/** `POST …/board`: with `If-None-Match` of the last answer it is 304 while nothing changed; `Age` is that of its oldest panel. */
async function board(leaf: Leaf, request: IncomingMessage, response: ServerResponse): Promise<unknown> {
  const text = (await readBody(request, 4 * 1024 * 1024)).toString('utf8')
  const { board: answer, ageMs } = await leaf.boards.answer(text, gone(response))
  const headers = { etag: answer.etag, 'cache-control': 'no-cache', age: String(Math.floor(ageMs / 1000)) }
  if (request.headers['if-none-match'] === answer.etag) {
    response.writeHead(304, headers).end()
    return WRITTEN
  }
  const isGzip = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
  const parts = isGzip ? answer.gzip() : answer.parts
  response.writeHead(200, {
    ...headers,
    'content-type': 'application/json',
    'content-length': parts.reduce((sum, { length }) => sum + length, 0),
    vary: 'accept-encoding',
    ...(isGzip ? { 'content-encoding': 'gzip' } : {}),
  })
  response.cork()
  for (const part of parts) response.write(part)
  response.end()
  return WRITTEN
}

/**
 * Server-sent events `panel`, each a PanelProgress; `error` instead of the last one when it fails on the way. Each is a whole answer: a slow reader
 * is given fewer of them, so that no engine waits for it.
 */
async function panelStream(leaf: Leaf, request: IncomingMessage, response: ServerResponse): Promise<unknown> {
  const asked = parse(panelRequestSchema, await json(request))
  const signal = gone(response)
  const send = (event: string, data: object): void => {
    if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }
  const progress = async (step: PanelProgress): Promise<void> => {
    if (step.isLast || !response.writableNeedDrain) send('panel', step)
  }
  try {
    await panelProgress(leaf.store, leaf.engines, asked, progress, signal, askerOf(request))
  } catch (error) {
    if (!response.headersSent) throw error
    send('error', { error })
  }
  response.end()
  return WRITTEN
}
