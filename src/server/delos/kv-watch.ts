import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { eventsFrom, kvBefore, revisionOf } from '../../core/delos/kv/read.ts'
import { rangeOf } from '../../core/delos/kv/range.ts'
import { revisionSchema, type Kv } from '../../core/delos/schema.ts'
import { refuse } from '../../core/kernel/errors.ts'
import type { ServerHost } from '../host.ts'

const watchSchema = z.object({
  key: z.string(),
  isPrefix: z.boolean().default(false),
  /** first revision to tell; absent: what comes from now on */
  from: revisionSchema.optional(),
  wantsPrev: z.boolean().default(false),
})

/**
 * What a watch sends, one JSON object a line. `created` comes first and says the revision the watch stands at;
 * `progress` says that everything up to its revision was sent: a watcher that lost its connection asks again from
 * the last revision it saw plus one, and misses and doubles nothing.
 */
export type WatchLine =
  | { kind: 'created'; revision: number }
  /** `isLast`: no more events of this revision follow */
  | { kind: 'event'; revision: number; type: 'put' | 'delete'; kv: Kv; prev?: Kv | null; isLast: boolean }
  | { kind: 'progress'; revision: number }
  | { kind: 'error'; error: unknown }

const CHUNK = 500
const PROGRESS_MS = 5000
/** A reader slower than this waits: what it has not read stays in the database, not in memory. */
const BUFFERED_BYTES_MAX = 1024 * 1024

/** `POST /v1/delos/kv/watch`: changes of a key or prefix as NDJSON, whole revisions in order. */
export function sendKvWatch(host: ServerHost, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const parsed = watchSchema.safeParse(request.body ?? {})
  if (!parsed.success) throw refuse('USAGE', `delos.kv.watch: ${parsed.error.issues.map((issue) => issue.message).join('; ')}`)
  const { key, isPrefix, from, wantsPrev } = parsed.data
  const range = rangeOf(key, isPrefix)
  const state = revisionOf(host.db)
  if (from !== undefined && from < state.compacted) throw compactedAway(from, state)
  reply.hijack()
  const out = reply.raw
  out.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' })
  const send = (line: WatchLine): boolean => out.write(`${JSON.stringify(line)}\n`)
  let next = from ?? state.revision + 1
  send({ kind: 'created', revision: state.revision })

  let isWaiting = false
  const pump = (): void => {
    while (!isWaiting && !out.destroyed) {
      const now = revisionOf(host.db)
      if (next < now.compacted) {
        send({ kind: 'error', error: compactedAway(next, now) })
        out.end()
        return
      }
      if (next > now.revision) return
      const events = eventsFrom(host.db, range, next, CHUNK)
      for (const [i, { type, kv }] of events.entries()) {
        const revision = kv.mod_revision
        const isLast = events[i + 1]?.kv.mod_revision !== revision
        send({ kind: 'event', revision, type, kv, ...(wantsPrev ? { prev: kvBefore(host.db, kv.key, revision) } : {}), isLast })
      }
      const isAll = events.length <= CHUNK
      next = isAll ? now.revision + 1 : (events.at(-1)?.kv.mod_revision ?? next) + 1
      if (out.writableLength > BUFFERED_BYTES_MAX) {
        isWaiting = true
        out.once('drain', () => {
          isWaiting = false
          pump()
        })
      }
    }
  }
  const unlisten = host.onEntries(pump)
  const progress = setInterval(() => {
    if (!isWaiting) send({ kind: 'progress', revision: Math.max(next - 1, 1) })
  }, PROGRESS_MS)
  out.once('close', () => {
    unlisten()
    clearInterval(progress)
  })
  pump()
  return reply
}

function compactedAway(from: number, state: { revision: number; compacted: number }): Error {
  return refuse('DELOS_REVISION', `Revision ${from} was compacted: the oldest is ${state.compacted}, the newest ${state.revision}.`, {
    details: state,
  })
}
