import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { z } from 'zod'
import { refuse } from '../../core/kernel/errors.ts'
import type { Logger } from '../../platform/logger.ts'
import { setCallerOf } from '../api/callers.ts'
import type { Caller } from '../api/roles.ts'
import { PAGES, readAssets, type Assets, type PageName } from './assets.ts'
import { closedDocument, goOnDocument, pageDocument } from './document.ts'
import { createSessions, SESSION_MS, type Sessions } from './sessions.ts'

/** The browser pages of a server. Nothing listens until somebody asks for a page, and nothing when all sessions are over. */
export interface Pages {
  /** A link that lets one browser in, once: `{page}` → `{url, expiresAt}`. Rejects with USAGE or UNAVAILABLE. */
  open: (caller: Caller, asked: unknown) => Promise<{ url: string; expiresAt: number }>
  close: () => Promise<void>
}

export interface PagesOptions {
  /** Answers `/v1/…`, for a caller that was set. */
  pass: (request: IncomingMessage, response: ServerResponse) => void
  log: Logger
  now?: () => number
  assets?: () => Assets
}

const HOST = '127.0.0.1'
const SWEEP_MS = 60_000
const QUERY_MAX = 16_000
const askedSchema = z.strictObject({
  page: z.enum(PAGES).default('log'),
  /** of the page's address, without `?`: what it shows */
  query: z
    .string()
    .max(QUERY_MAX)
    .regex(/^[^\s"<>#]*$/)
    .default(''),
})

/** On every answer. Scripts, styles and data come from here alone, and nobody frames, embeds or refers to it. */
const HEADERS = {
  'content-security-policy': "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const

interface Listening {
  server: Server
  port: number
  assets: Assets
}

export function createPages({ pass, log, now = Date.now, assets = readAssets }: PagesOptions): Pages {
  const sessions = createSessions(now)
  let listening: Promise<Listening> | null = null

  const listen = async (): Promise<Listening> => {
    const files = assets()
    const server = createServer({ requestTimeout: 30_000 })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host: HOST, port: 0 }, resolve)
    })
    const { port } = server.address() as AddressInfo
    server.on('request', (request: IncomingMessage, response: ServerResponse) => answer({ request, response, port, files, sessions, pass }))
    log.info('the browser pages are open', { address: `${HOST}:${port}` })
    sweeping = setInterval(() => {
      if (sessions.isEmpty()) void close()
    }, SWEEP_MS)
    sweeping.unref()
    return { server, port, assets: files }
  }
  let sweeping: NodeJS.Timeout | null = null
  const close = async (): Promise<void> => {
    const before = listening
    listening = null
    if (sweeping !== null) clearInterval(sweeping)
    if (before === null) return
    const { server, port } = await before
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeAllConnections()
    await closed
    log.info('the browser pages are closed', { address: `${HOST}:${port}` })
  }

  return {
    open: async (caller, asked) => {
      const parsed = askedSchema.safeParse(asked)
      if (!parsed.success)
        throw refuse('USAGE', `there are the pages ${PAGES.join(', ')}, each with a query of at most ${QUERY_MAX} characters`)
      listening ??= listen().catch((error: unknown) => {
        listening = null
        throw error
      })
      const { port } = await listening
      // Pages only look, whatever else the caller may do.
      const { code, expiresAt } = sessions.makeCode({ actor: caller.actor, role: 'viewer' })
      log.info('a browser may come in', { actor: caller.actor, page: parsed.data.page })
      const { page, query } = parsed.data
      const go = query === '' ? '' : `&query=${encodeURIComponent(query)}`
      return { url: `http://${HOST}:${port}/open?page=${page}&code=${code}${go}`, expiresAt }
    },
    close,
  }
}

interface Visit {
  request: IncomingMessage
  response: ServerResponse
  port: number
  files: Assets
  sessions: Sessions
  pass: PagesOptions['pass']
}

function answer(visit: Visit): void {
  const { request, response, port, files, sessions, pass } = visit
  for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value)
  const problem = strangerProblem(request, port)
  if (problem !== null) return send(response, 403, 'text/plain; charset=utf-8', `${problem}\n`)
  const url = new URL(request.url ?? '/', `http://${HOST}:${port}`)
  if (url.pathname === '/open') return letIn(visit, url)
  // Browsers ask for it on pages that name no icon.
  if (url.pathname === '/favicon.ico') return send(response, 204, 'image/svg+xml', '')
  const caller = sessions.find(cookieOf(request, port) ?? '')
  if (url.pathname.startsWith('/v1/')) {
    if (caller === null) return sendClosed(response)
    // The session is of this listener: whoever answers behind it, also another server, knows the caller by name.
    delete request.headers.cookie
    setCallerOf(request, caller)
    return pass(request, response)
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'text/plain; charset=utf-8', 'only GET here\n')
  if (caller === null)
    return send(response, 401, 'text/html; charset=utf-8', closedDocument('This browser has no session here, or its session is over.'))
  const page = url.pathname === '/' ? 'log' : url.pathname.slice(1)
  if (isPage(page)) return send(response, 200, 'text/html; charset=utf-8', pageDocument(page, files))
  const asset = files.files.get(/^\/assets\/([^/]+)$/.exec(url.pathname)?.[1] ?? '')
  if (asset === undefined) return send(response, 404, 'text/plain; charset=utf-8', 'there is nothing here\n')
  // Its name says what is in it; only this browser may keep it.
  send(response, 200, asset.type, asset.bytes, 'private, max-age=31536000, immutable')
}

/**
 * What speaks against a request being of our own pages or of a person who opens a link; null: nothing. Another name for this address is
 * a site that had its name resolved to it; another origin is a page of somebody else in the same browser.
 */
function strangerProblem(request: IncomingMessage, port: number): string | null {
  const { host, origin } = request.headers
  if (host !== `${HOST}:${port}`) return `this is ${HOST}:${port}, not ${String(host).slice(0, 100)}`
  if (origin !== undefined && origin !== `http://${HOST}:${port}`) return 'pages of other origins get nothing here'
  const site = request.headers['sec-fetch-site']
  // A link of another site may lead here; without a cookie, which is strict, it leads to nothing.
  const isNavigation = request.headers['sec-fetch-mode'] === 'navigate' && !String(request.url).startsWith('/v1/')
  if (site === undefined || site === 'same-origin' || site === 'none' || isNavigation) return null
  return 'pages of other sites get nothing here'
}

/** Exchanges a code for the session's cookie. */
function letIn({ request, response, port, sessions }: Visit, url: URL): void {
  if (request.method !== 'GET') return send(response, 405, 'text/plain; charset=utf-8', 'only GET here\n')
  const session = sessions.redeem(url.searchParams.get('code') ?? '')
  if (session === null)
    return send(response, 403, 'text/html; charset=utf-8', closedDocument('This link was used already, or its minute is over.'))
  const page = url.searchParams.get('page') ?? ''
  // Cookies know no ports: each listener has a name of its own.
  response.setHeader('set-cookie', `${cookieName(port)}=${session}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${SESSION_MS / 1000}`)
  send(response, 200, 'text/html; charset=utf-8', goOnDocument(isPage(page) ? page : 'log', url.searchParams.get('query') ?? ''))
}

const isPage = (text: string): text is PageName => (PAGES as readonly string[]).includes(text)
const cookieName = (port: number): string => `muster-${port}`

function cookieOf(request: IncomingMessage, port: number): string | null {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [name, value] = part.trim().split('=')
    if (name === cookieName(port) && value !== undefined) return value
  }
  return null
}

function sendClosed(response: ServerResponse): void {
  const error = refuse('NOT_PERMITTED', 'this browser has no session here, or its session is over', { hint: 'Run `muster open`.' })
  send(response, 401, 'application/json', JSON.stringify({ ok: false, error }))
}

function send(response: ServerResponse, status: number, type: string, body: string | Buffer, cache = 'no-store'): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': cache, 'content-length': Buffer.byteLength(body) })
  response.end(response.req.method === 'HEAD' ? undefined : body)
}
