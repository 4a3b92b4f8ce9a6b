import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { gunzip, zstdDecompress } from 'node:zlib'
import { z } from 'zod'
import { isRefusal, MusterError, refuse } from '../../../core/kernel/errors.ts'
import type { LeafHealth } from '../client.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import { registrySchema } from '../../../core/scuba/registry.ts'
import { ACK_LEVELS, type AckLevel } from '../../../core/scuba/wire-types.ts'
import { liveRequestSchema } from '../../../core/scuba/schema.ts'
import type { Peers } from '../aggregate/peers.ts'
import { SHARD_HEAD } from '../../../core/scuba/shards/fence.ts'
import { ownLoad, placeOf, sendOn } from '../aggregate/route.ts'
import { PEER_ROUTES } from '../aggregate/routes.ts'
import { liveEverywhere } from '../aggregate/live.ts'
import { tail } from '../aggregate/tail.ts'
import type { Copies } from '../replica/copies.ts'
import type { HeldCopies } from '../replica/held-copies.ts'
import { ASIDE_ROUTES } from '../replica/aside-routes.ts'
import type { OwnYet } from '../replica/own-yet.ts'
import { REPLICA_ROUTES } from '../replica/routes.ts'
import { asideRows, standDown } from '../replica/stand-down.ts'
import { BodyPool } from './body-pool.ts'
import { WRITTEN, gone, json, parse, readBody, readInto } from './http-body.ts'
import { ASK_ROUTES } from './ask-routes.ts'
import { live } from './ask.ts'
import type { Boards } from './board.ts'
import { isConvertible, toNdjson } from './convert.ts'
import { DEEDS, type Parts } from './deeds.ts'
import { retryAfterSeconds } from './listen/take.ts'
import { NO_ADMISSION, senderOf, type Admission } from './quotas.ts'
import { nameOfSender } from './sender-name.ts'
import type { Stored } from './raw-batch.ts'
import type { Decoders } from './listen/decoders.ts'
import type { Ports } from './listen/ports.ts'
import { telemetryRoute } from './listen/telemetry.ts'
import { observeAfter } from './observe.ts'
import type { ScrapeStatus } from './scrape/scraper.ts'
import type { SlowSenders } from './slow-senders.ts'

export interface Leaf extends Parts {
  boards: Boards
  slowSenders: SlowSenders
  /** for good */
  name: string
  decoders: Decoders
  peers: Peers
  /** copies of its rows on other leaves, and of theirs on it */
  copies: Copies
  held: HeldCopies
  /** whether it knows the map of now */
  ownYet: OwnYet
  clickhouse: () => LeafHealth['clickhouse']
  intake: () => { ports: ReturnType<Ports['status']>; scrape: ScrapeStatus[] }
}

export type Handler = (leaf: Leaf, request: IncomingMessage, response: ServerResponse, url: URL, table: string) => Promise<unknown>

const ROUTES: [method: string, path: RegExp, handler: Handler][] = [
  ['POST', /^\/v1\/scuba\/tables\/([^/]+)\/rows$/, rows],
  ['GET', /^\/v1\/scuba\/tables\/([^/]+)\/tail$/, tail],
  [
    'GET',
    /^\/v1\/scuba\/tables\/([^/]+)\/key$/,
    async ({ store }, _request, _response, { searchParams }, table) => ({
      known: searchParams.getAll('key').filter((key) => store.keys.get(table, key) !== undefined),
    }),
  ],
  ['GET', /^\/v1\/scuba\/tables\/([^/]+)$/, async (leaf, _request, _response, _url, table) => leaf.peers.table(table)],
  [
    'POST',
    /^\/v1\/scuba\/tables\/([^/]+)\/seal$/,
    async (leaf, _request, _response, _url, table) => ({ sealed: await leaf.sealer.sealNow(leaf.store.tail(table)) }),
  ],
  [
    'GET',
    /^\/v1\/scuba\/tables$/,
    async (leaf, _request, _response, { searchParams }) =>
      searchParams.get('own') === '1'
        ? {
            tables: leaf.store.tables(),
            load: ownLoad(leaf),
            owns: leaf.held.owns(),
            copies: leaf.copies.following(),
            hasAside: asideRows(leaf.store.dir) > 0,
          }
        : { tables: await leaf.peers.tables() },
  ],
  ...ASK_ROUTES.map(([method, path, handler]): (typeof ASK_ROUTES)[number] => [method, path, knowing(handler)]),
  ...PEER_ROUTES,
  ...REPLICA_ROUTES,
  ...ASIDE_ROUTES,
  [
    'POST',
    /^\/v1\/scuba\/artefacts\/round$/,
    async (leaf) => (await leaf.engines.artefacts?.round(Date.now()), leaf.engines.artefacts?.status()),
  ],
  [
    'POST',
    /^\/v1\/scuba\/live$/,
    async ({ store, peers }, request, _response, { searchParams }) => {
      const asked = parse(liveRequestSchema, await json(request))
      return searchParams.get('own') === '1' ? live(store, asked) : liveEverywhere(store, peers, asked)
    },
  ],
  ['GET', /^\/v1\/scuba\/registry$/, async (leaf) => leaf.store.registry.current],
  ['PUT', /^\/v1\/scuba\/registry$/, putRegistry],
  ['GET', /^\/v1\/scuba\/observed$/, observed],
  ['POST', /^\/v1\/scuba\/do\/([^/]+)$/, deed],
  ['POST', /^\/v1\/scuba\/tables\/([^/]+)\/expression$/, expression],
  [
    'GET',
    /^\/v1\/scuba\/health$/,
    async (leaf) => ({
      pid: process.pid,
      enginePid: leaf.engine.pid,
      isEngineReady: leaf.engine.isReady,
      sealEnginePid: leaf.sealEngine.pid,
      isFull: leaf.store.diskLevel === 'full',
      diskLevel: leaf.store.diskLevel,
      isReadOnly: leaf.store.isReadOnly,
      backlogBytes: leaf.sealer.backlogBytes,
      tables: leaf.store.tableNames().size,
      intake: leaf.intake(),
      clickhouse: leaf.clickhouse(),
      quotas: leaf.store.quotas.counts(),
      strictTokens: leaf.slowSenders.strict(),
      senders: leaf.store.senders.list(Date.now()),
      byCopy: leaf.peers.standIns.counts,
    }),
  ],
]

/** Whoever asks may name what only other leaves have. */
function knowing(handler: Handler): Handler {
  return async (leaf, ...rest) => {
    await leaf.peers.learn()
    return handler(leaf, ...rest)
  }
}

/** `GET …/observed?after=MARK&waitMs=N` */
function observed(leaf: Leaf, _request: IncomingMessage, response: ServerResponse, { searchParams }: URL): Promise<unknown> {
  leaf.ownYet.seen()
  return observeAfter(leaf, searchParams.get('after'), Number(searchParams.get('waitMs') ?? 0) || 0, gone(response))
}

/** Jobs that come with it are done before it is answered: whoever dropped a table finds it gone. */
async function putRegistry(leaf: Leaf, request: IncomingMessage): Promise<unknown> {
  const registry = leaf.store.registry.put(parse(registrySchema, await json(request)))
  await leaf.jobs.run()
  leaf.store.applyRegistry()
  leaf.copies.follow()
  await standDown(leaf.store, leaf.jobs, leaf.name)
  // It may take a while, and is tried again.
  void leaf.held.tick().catch((error: unknown) => leaf.store.log.warn('a copy could not be taken over yet', { error: String(error) }))
  return registry
}

/** An operation that the leaf carries out as it is asked of the server. */
async function deed(leaf: Leaf, request: IncomingMessage, response: ServerResponse, _url: URL, name: string): Promise<unknown> {
  const found = DEEDS.get(name)
  if (!found) throw refuse('NOT_FOUND', `this leaf does not carry out ${name}`)
  return found.run(leaf, await json(request), gone(response))
}

/** The type of an SQL expression over a table's columns. */
async function expression(leaf: Leaf, request: IncomingMessage, _response: ServerResponse, _url: URL, table: string): Promise<unknown> {
  const { sql } = parse(z.object({ sql: z.string().min(1).max(10_000) }), await json(request))
  return { type: await leaf.derived.check(table, sql) }
}

export function listenerOf(leaf: Leaf): RequestListener {
  return (request, response) => {
    serve(leaf, request, response).catch((error: unknown) => {
      leaf.store.log.error('answer failed', { url: request.url, error: String(error) })
      response.destroy()
    })
  }
}

/** The leaf's HTTP, on whatever socket the caller makes it listen on. */
export function createLeafServer(leaf: Leaf): Server {
  const server = createServer(listenerOf(leaf))
  // Senders keep their connection; they are on the same machine.
  server.keepAliveTimeout = 120_000
  server.requestTimeout = 120_000
  return server
}

async function serve(leaf: Leaf, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://leaf')
  try {
    const telemetry = request.method === 'POST' ? telemetryRoute(url.pathname) : null
    if (telemetry !== null) return await telemetry(leaf, request, response)
    for (const [method, path, handler] of ROUTES) {
      const match = method === request.method ? path.exec(url.pathname) : null
      if (!match) continue
      const answer = await handler(leaf, request, response, url, decodeURIComponent(match[1] ?? ''))
      if (answer !== WRITTEN) send(response, 200, answer)
      return
    }
    throw refuse('NOT_FOUND', `nothing answers ${request.method} ${url.pathname}`)
  } catch (error) {
    const refusal = error instanceof MusterError ? error : refuse('INTERNAL', (error as Error).message, { cause: error })
    if (!(error instanceof MusterError)) leaf.store.log.error('bug', { url: request.url, stack: (error as Error).stack })
    if (response.headersSent) return void response.destroy()
    if (refusal.exit === 6) response.setHeader('retry-after', String(retryAfterSeconds(refusal)))
    send(response, statusOf(refusal), { error: refusal })
    // The rest of a body that is not wanted goes unread past the answer: a connection that is cut at once takes the answer with it.
    if (!request.complete) {
      request.resume()
      setTimeout(() => request.complete || request.destroy(), UNWANTED_MS).unref()
    }
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const bytes = Buffer.from(JSON.stringify(body))
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.length })
  response.end(bytes)
}

/** HTTP status of a refusal: by its exit code, but where HTTP has a word of its own for it. */
export function statusOf(error: MusterError): number {
  switch (error.code) {
    case 'SCUBA_BUSY':
    case 'SCUBA_QUOTA':
      return 429
    case 'SCUBA_DISK_FULL':
      return 507
    case 'SCUBA_DEADLINE':
      return 504
    case 'SCUBA_TOO_LARGE':
      return 413
    case 'SCUBA_LINES_INVALID':
      return 422
  }
  return { 2: 400, 3: 404, 4: 403, 5: 409, 6: 503 }[error.exit as 2 | 3 | 4 | 5 | 6] ?? 500
}

async function rows(leaf: Leaf, request: IncomingMessage, _response: ServerResponse, url: URL, table: string): Promise<unknown> {
  const ack = (url.searchParams.get('ack') ?? leaf.store.ackOf(table)) as AckLevel
  if (!ACK_LEVELS.includes(ack)) throw refuse('USAGE', `ack is ${ACK_LEVELS.join(', ')}`)
  const validate = url.searchParams.get('validate') ?? 'late'
  if (validate !== 'sync' && validate !== 'late') throw refuse('USAGE', 'validate is sync or late')
  const header = request.headers['idempotency-key']
  const key = typeof header === 'string' && header !== '' ? header : null
  if (key !== null && key.length > 256) throw refuse('USAGE', 'an idempotency key has at most 256 characters')
  const isRouted = request.headers[SHARD_HEAD]
  const place = await placeOf(leaf, table, key, {
    isRouted: typeof isRouted === 'string' ? isRouted : undefined,
    mayGoElsewhere: url.searchParams.get('away') === 'any',
  })
  const bytes = Number(request.headers['content-length'] ?? 0)
  // Before it is read: bodies on their way are memory too.
  const release = leaf.store.reserve(table, bytes)
  const admission = admitted(leaf, request, table, bytes, release)
  const room = pool.take(bytes)
  let isHeld = false
  try {
    const { token } = senderOf(request.headers)
    let size = bytes
    if (place !== null)
      return await leaf.slowSenders.take(
        token,
        () => size,
        (isStrict) => {
          if (isStrict) url.searchParams.set('validate', 'sync')
          const path = `${url.pathname}${url.search}`
          return sendOn(leaf, request, path, place, (came) => admission.add((size = came) - bytes))
        },
      )
    const { body, stored, came } = await ndjsonBody(leaf, request, room)
    admission.add(came - bytes)
    size = body.length
    // What is acknowledged from memory is still to be written, and a copy's to be sent.
    isHeld = ack === 'memory' || leaf.copies.isCopied(table)
    return await leaf.slowSenders.take(
      token,
      () => size,
      (isStrict) =>
        leaf.store.ingest(table, body, {
          key,
          ack,
          stored,
          isStrict: isStrict || validate === 'sync',
          sender: nameOfSender(request.headers),
        }),
    )
  } catch (error) {
    admission.undo()
    if (isRefusal(error) && error.code === 'SCUBA_TOO_LARGE') leaf.store.countTooLarge(table)
    throw error
  } finally {
    release()
    // One whose reading broke off may still be written to.
    if (room && !isHeld && request.complete) pool.give(room)
  }
}

/** Rows that another leaf sends on were held to the quotas there. @param release when they are not let in */
function admitted({ store }: Leaf, { headers }: IncomingMessage, table: string, bytes: number, release: () => void): Admission {
  const { token, isHandedOn } = senderOf(headers)
  if (headers[SHARD_HEAD] !== undefined || isHandedOn) return NO_ADMISSION
  try {
    return store.quotas.admit(table, token, bytes)
  } catch (error) {
    release()
    throw error
  }
}

const UNWANTED_MS = 1000

const pool = new BodyPool()

/** The rows of a request as NDJSON or an array, whatever they came as. `came`: how many bytes it had. */
async function ndjsonBody(
  leaf: Leaf,
  request: IncomingMessage,
  room: Buffer | null,
): Promise<{ body: Buffer; stored: Stored; came: number }> {
  const [contentType = ''] = (request.headers['content-type'] ?? '').split(';')
  const sent = await rowBody(request, room)
  const came = sent.stored.bytes.length
  if (!isConvertible(contentType.trim())) return { ...sent, came }
  const body = await toNdjson(leaf.store, leaf.sealEngine, contentType.trim(), sent.body)
  return { body, stored: { encoding: 'none', bytes: body }, came }
}

/** A request's body, inflated, and as it came. */
async function rowBody(request: IncomingMessage, room: Buffer | null): Promise<{ body: Buffer; stored: Stored }> {
  const bytes = await (room ? readInto(room, request) : readBody(request, LIMITS.requestBytesMax))
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (encoding === 'identity') return { body: bytes, stored: { encoding: 'none', bytes } }
  const options = { maxOutputLength: LIMITS.inflatedBytesMax }
  try {
    if (encoding === 'gzip') return { body: await promisify<Buffer, object, Buffer>(gunzip)(bytes, options), stored: { encoding, bytes } }
    if (encoding === 'zstd' && typeof zstdDecompress === 'function')
      return { body: await promisify<Buffer, object, Buffer>(zstdDecompress)(bytes, options), stored: { encoding, bytes } }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw refuse('SCUBA_TOO_LARGE', 'the body is larger than 256 MiB when inflated', { cause: error })
    throw refuse('SCUBA_ROWS_INVALID', `the body is not ${encoding}: ${(error as Error).message}`, { cause: error })
  }
  throw refuse('SCUBA_ROWS_INVALID', `the encoding ${encoding} is not known`, { hint: 'Use gzip, zstd or none.' })
}
