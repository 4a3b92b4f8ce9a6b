import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import { rangeIn, kvView } from '../../core/delos/programs/text.ts'
import { spanOf } from '../../core/delos/kv/key-ranges.ts'
import type { Version } from '../../core/delos/kv/version.ts'
import { keysFields, revisionSchema, type Kv } from '../../core/delos/schema.ts'
import { isRefusal, refuse } from '../../core/kernel/errors.ts'
import type { ControlStore } from './control-store.ts'

const watchSchema = z.object({
  ...keysFields,
  /** first revision to tell; absent: what comes from now on */
  from: revisionSchema.optional(),
  wantsPrev: z.boolean().default(false),
})

/** The same from a query string; `key` stays the text it is, also where it looks like a number. */
export function watchQuery({ key = '', from, ...flags }: Record<string, string>): object {
  const read = Object.entries(flags).map(([name, text]) => [name, text === 'true'])
  return { ...Object.fromEntries(read), key, ...(from === undefined ? {} : { from: Number(from) }) }
}

/**
 * What a watch sends, one JSON object a line. `created` comes first and says the revision the watch stands at;
 * `progress` says that everything up to its revision was sent: a watcher that lost its connection asks again from
 * the last revision it saw plus one, and misses and doubles nothing.
 */
type WatchLine =
  | { kind: 'created'; revision: number }
  /** `isLast`: no more events of this revision follow */
  | { kind: 'event'; revision: number; type: 'put' | 'delete'; kv: Kv; prev?: Kv | null; isLast: boolean }
  | { kind: 'progress'; revision: number }
  | { kind: 'error'; error: unknown }

/** Versions looked at in one turn of the event loop. */
const CHUNK = 2000
const PROGRESS_MS = 5000
/** A reader slower than this waits: what it has not read stays in the store, not in a queue. */
const BUFFERED_BYTES_MAX = 1024 * 1024

/** `POST` or `GET /v1/delos/kv/watch`: changes of a key or prefix as NDJSON, whole revisions in order. */
export function sendKvWatch({ replica, oldest }: ControlStore, asked: unknown, reply: FastifyReply): FastifyReply {
  const parsed = watchSchema.safeParse(asked ?? {})
  if (!parsed.success) throw refuse('USAGE', `delos.kv.watch: ${parsed.error.issues.map((issue) => issue.message).join('; ')}`)
  const { from, wantsPrev } = parsed.data
  const range = rangeIn(parsed.data)
  if (isRefusal(range)) throw range
  const { store } = replica
  const span = spanOf(range.key, range.range_end)
  const isMeant = ({ key }: Version): boolean => key >= span.from && (span.to === null || key < span.to)
  const compactedAway = (revision: number): Error =>
    refuse('DELOS_REVISION', `Revision ${revision} was compacted: the oldest is ${oldest()}, the newest ${store.revision}.`, {
      details: { oldest: oldest(), newest: store.revision },
    })
  // Before the first compaction nothing is gone, whatever low number is asked for.
  const isGone = (revision: number): boolean => revision < oldest() && oldest() > 1
  if (from !== undefined && isGone(from)) throw compactedAway(from)
  reply.hijack()
  const out = reply.raw
  out.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' })
  const send = (line: WatchLine): boolean => out.write(`${JSON.stringify(line)}\n`)
  let next = from ?? store.revision + 1
  send({ kind: 'created', revision: store.revision })

  let isWaiting = false
  const goOn = (): void => {
    isWaiting = false
    pump()
  }
  const pump = (): void => {
    if (isWaiting || out.destroyed || next > store.revision) return
    if (isGone(next)) {
      send({ kind: 'error', error: compactedAway(next) })
      out.end()
      return
    }
    const looked = store.changesFrom(next, CHUNK)
    const events = looked.filter(isMeant)
    for (const [i, version] of events.entries()) {
      const { mod_revision: revision } = version
      const before = wantsPrev ? store.previousOf(version) : null
      send({
        kind: 'event',
        revision,
        type: version.isDeleted ? 'delete' : 'put',
        kv: kvView(version),
        ...(wantsPrev ? { prev: before === null ? null : kvView(before) } : {}),
        isLast: events[i + 1]?.mod_revision !== revision,
      })
    }
    next = (looked.at(-1)?.mod_revision ?? store.revision) + 1
    isWaiting = true
    if (out.writableLength > BUFFERED_BYTES_MAX) out.once('drain', goOn)
    else setImmediate(goOn)
  }
  const unlisten = replica.onApplied(pump)
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
