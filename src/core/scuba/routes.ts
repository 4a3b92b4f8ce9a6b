import { z } from 'zod'
import type { RouteDef } from '../contracts/route.ts'
import { panelAnswer } from './operations/asking.ts'
import { boardRequestSchema, panelRequestSchema } from './schema.ts'

const OTLP = ['application/x-protobuf', 'application/json']
const otlp = (signal: string): RouteDef => ({
  method: 'POST',
  path: `/v1/${signal}`,
  summary: `Take in ${signal} by OTLP/HTTP 1.x.`,
  isRead: false,
  body: { types: OTLP },
  answer: { types: OTLP, description: 'Durable; `partial_success` counts what could not be rows.' },
})

const failure = z.object({ code: z.string(), message: z.string(), hint: z.string().optional(), exit: z.int() })

/** What the leaf answers by itself. */
export const LEAF_ROUTES: readonly RouteDef[] = [
  {
    method: 'POST',
    path: '/v1/scuba/tables/{table}/rows',
    summary: 'Take in rows of a table; with the head `idempotency-key` the same ones are added once within 24 hours.',
    isRead: false,
    query: z.object({
      ack: z.enum(['memory', 'fsync']).default('fsync'),
      /** `sync`: a batch comes in whole or not at all, and 422 says which lines are bad */
      validate: z.enum(['late', 'sync']).default('late'),
      /** `any`: while the leaf of the key is away, rows go to another one, at least once */
      away: z.enum(['any']).optional(),
    }),
    body: { types: ['application/x-ndjson', 'application/json', 'text/csv', 'application/vnd.apache.parquet'] },
    answer: { types: ['application/json'], description: 'A receipt: how many rows were accepted, and why others were not.' },
  },
  {
    method: 'GET',
    path: '/v1/scuba/tables/{table}/tail',
    summary: 'Follow the rows of a table as they come in.',
    isRead: true,
    answer: {
      types: ['application/x-ndjson'],
      description: 'A row a line. `{"missed":N}`: so many were too many for the reader; `{"missing":TEXT}`: a leaf cannot be followed.',
    },
  },
  {
    method: 'POST',
    path: '/v1/scuba/board',
    summary:
      'Answer many panels at once. `If-None-Match` of the last answer gives 304 while nothing changed; `Age` is that of the oldest panel.',
    isRead: true,
    body: { types: ['application/json'], schema: boardRequestSchema },
    answer: {
      types: ['application/json'],
      description: 'In the order of the request; a panel that fails does not harm the others.',
      schema: z.object({
        panels: z.array(
          z.union([z.object({ ok: z.literal(true), answer: panelAnswer }), z.object({ ok: z.literal(false), error: failure })]),
        ),
      }),
    },
  },
  {
    method: 'POST',
    path: '/v1/scuba/panel/stream',
    summary: 'Answer a panel bit by bit, as server-sent events.',
    isRead: true,
    body: { types: ['application/json'], schema: panelRequestSchema },
    answer: {
      types: ['text/event-stream'],
      description: 'Events `panel` with `{progress, isLast, answer}`, whose coverage grows; `error` instead of the last one when it fails.',
    },
  },
  ...['logs', 'metrics', 'traces'].map(otlp),
  {
    method: 'POST',
    path: '/api/v1/write',
    summary: "Take in samples by Prometheus' remote-write 1.0.",
    isRead: false,
    body: { types: ['application/x-protobuf'] },
    answer: { types: ['text/plain'], description: 'Durable, with status 204 and no body.' },
  },
]
