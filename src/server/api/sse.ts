import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Entry } from '../../core/contracts/entry.ts'
import { refuse } from '../../core/kernel/errors.ts'
import { isAbout } from '../../core/tw/queries.ts'
import type { ControlLog } from '../state/control-log.ts'

/** A client that reads slower than this is cut off; it resumes from its last position. */
const BUFFERED_BYTES_MAX = 4 * 1024 * 1024
const KEEPALIVE_MS = 15_000
const CHUNK = 512
/** Entries looked at before others have their turn: a filter that nothing passes must not stall the server. */
const TURN = 8 * CHUNK

/**
 * `GET /v1/events?from=P&types=tw.,sev.`: entries as server-sent events, id = position. Resumes from `from` or
 * `Last-Event-ID` + 1; without either, from now on. No entry is skipped: what came meanwhile is read from the log.
 * `until=P` ends before that position, with the event `end`; `job=` and `node=` leave only what tells of them.
 * The headers say where the log ends now, and where it begins: what was before is trimmed away.
 */
export function sendEvents(control: ControlLog, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const query = request.query as { from?: string; until?: string; types?: string; job?: string; node?: string }
  const lastId = request.headers['last-event-id']
  let next = query.from !== undefined ? Number(query.from) : typeof lastId === 'string' ? Number(lastId) + 1 : control.tail()
  if (!Number.isSafeInteger(next) || next < 0) throw refuse('USAGE', `"${query.from ?? lastId}" is not a log position`)
  next = Math.max(next, control.head())
  const until = query.until === undefined ? Number.POSITIVE_INFINITY : Number(query.until)
  if (Number.isNaN(until)) throw refuse('USAGE', `"${query.until}" is not a log position`)
  const prefixes = query.types?.split(',').filter(Boolean) ?? []
  const about = { job: query.job, node: query.node }
  const wanted = (entry: Entry): boolean =>
    (prefixes.length === 0 || prefixes.some((prefix) => entry.type.startsWith(prefix))) && isAbout(control.db, entry, about)
  reply.hijack()
  const out = reply.raw
  out.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-muster-position': String(control.tail()),
    'x-muster-head': String(control.head()),
  })
  out.write(': events\n\n')
  let isWaiting = false
  const pump = (): void => {
    if (isWaiting || out.destroyed) return
    const turnEnd = next + TURN
    const goOn = (): void => {
      isWaiting = false
      pump()
    }
    while (next < Math.min(until, control.tail())) {
      const entries = control.read(next, Math.min(CHUNK, until - next))
      for (const entry of entries)
        if (wanted(entry)) out.write(`id: ${entry.position}\nevent: ${entry.type}\ndata: ${JSON.stringify(entry)}\n\n`)
      next += entries.length
      if (out.writableLength > BUFFERED_BYTES_MAX || next >= turnEnd) {
        isWaiting = true
        if (out.writableLength > BUFFERED_BYTES_MAX) out.once('drain', goOn)
        else setImmediate(goOn)
        return
      }
    }
    if (next >= until) out.end(`event: end\ndata: {}\n\n`)
  }
  const unlisten = control.onEntries(pump)
  const keepalive = setInterval(() => out.write(`: ${control.tail()}\n\n`), KEEPALIVE_MS)
  out.once('close', () => {
    unlisten()
    clearInterval(keepalive)
  })
  pump()
  return reply
}
