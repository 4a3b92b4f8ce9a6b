import type { Identity } from '../../../core/delos/kv/command.ts'
import { isRpcError } from '../../../core/delos/kv/errors.ts'
import type { RangePages } from '../../../core/delos/kv/reading.ts'
import type * as m from '../../../core/delos/wire/messages.ts'
import type { EtcdService, RpcError, Sink } from '../../../core/delos/wire/service.ts'
import { TOO_MANY } from './answer-room.ts'
import type { Identify } from './identity.ts'
import { sealHeader, type HeaderSource } from './kv-service.ts'
import type { LongReads } from './long-reads.ts'
import type { Replica } from './replica.ts'

/** Open at once, over all connections. What each holds ahead of its reader is one message, of about a mebibyte. */
const STREAMS_MAX = 256
/** A reader that takes nothing for so long is told to begin anew, so that readers who sleep do not use up all streams. */
const STALLED_MS = 120_000

const ONE_REQUEST: RpcError = { code: 13, text: 'a stream of keys takes one request' }
const STALLED: RpcError = { code: 14, text: `muster: nothing of it was read for ${STALLED_MS / 1000} s; ask again` }

export interface RangeStreams {
  handle: EtcdService['KV/RangeStream']
  /** open now */
  count: () => number
}

/** etcd 3.7's `RangeStream`: a range in parts, of one revision, each made when its reader has taken the one before. */
export function rangeStreams(replica: Replica, identify: Identify, headers: HeaderSource, longReads: LongReads): RangeStreams {
  const open = new Set<Stream>()
  return {
    count: () => open.size,
    handle: (call, sink) => {
      let stream: Stream | null = null
      return {
        message: (request) => {
          if (stream !== null) return stream.end(ONE_REQUEST)
          const who = identify(call)
          if (isRpcError(who)) return sink.end(who)
          if (open.size >= STREAMS_MAX) return sink.end(TOO_MANY)
          stream = new Stream({ sink, longReads, headers, onEnd: (ended) => open.delete(ended) })
          open.add(stream)
          begin(replica, request, who, stream)
        },
        halfClosed: () => {
          if (stream === null) sink.end({ code: 13, text: ONE_REQUEST.text })
        },
        cancelled: () => stream?.cancelled(),
      }
    },
  }
}

/** The revision is fixed here: as of everything acknowledged before, unless it is asked for as it stands here. */
function begin(replica: Replica, request: m.RangeRequest, who: Identity, stream: Stream): void {
  const look = (): RangePages | RpcError => replica.store.openPages(request, who)
  if (request.serializable && !replica.isBehind) return stream.start(look())
  replica.linearizable(look, (error, pages) => stream.start(error ?? (pages as RangePages | RpcError)))
}

interface StreamOptions {
  sink: Sink<m.RangeStreamResponse>
  longReads: LongReads
  headers: HeaderSource
  onEnd: (stream: Stream) => void
}

class Stream {
  readonly #options: StreamOptions
  #pages: RangePages | null = null
  #isOver = false
  #stalling: NodeJS.Timeout | null = null

  constructor(options: StreamOptions) {
    this.#options = options
  }

  start(pages: RangePages | RpcError): void {
    if (isRpcError(pages)) return this.end(pages)
    if (this.#isOver) return
    this.#pages = pages
    this.#options.sink.onReady(() => this.#goOn())
    this.#goOn()
  }

  end(error?: RpcError): void {
    if (this.#isOver) return
    this.cancelled()
    this.#options.sink.end(error)
  }

  cancelled(): void {
    this.#isOver = true
    this.#pages = null
    if (this.#stalling !== null) clearTimeout(this.#stalling)
    this.#options.onEnd(this)
  }

  #goOn(): void {
    if (this.#stalling !== null) clearTimeout(this.#stalling)
    this.#stalling = null
    if (!this.#isOver && !this.#options.longReads.run(() => this.#step())) this.end(TOO_MANY)
  }

  /** @returns whether to go on in another turn: not when it is over, or its reader has to take what there is first */
  #step(): boolean {
    const { sink, headers } = this.#options
    if (this.#isOver || this.#pages === null) return false
    const page = this.#pages.step(sink.messageBytes)
    if (page === null) return true
    if (isRpcError(page)) {
      this.end(page)
      return false
    }
    const { kvs, whole } = page
    if (whole !== null) {
      sink.send({ range_response: { ...sealHeader(whole, headers), kvs } })
      this.end()
      return false
    }
    if (sink.send({ range_response: { header: null, kvs, more: false, count: 0 } })) return true
    if (!this.#isOver) this.#stalling = setTimeout(() => this.end(STALLED), STALLED_MS).unref()
    return false
  }
}
