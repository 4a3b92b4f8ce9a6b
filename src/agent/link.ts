import type { ClientRequest } from 'node:http'
import type { FromServer, NodeAsk, NodeReport, NodeVia } from '../core/contracts/node.ts'
import type { Logger } from '../platform/logger.ts'
import { textOf } from '../platform/streams.ts'
import { Beats, type BeatsOptions } from './beats.ts'
import { monotonicMs } from './contact.ts'
import type { ServerWay } from './server-way.ts'

const BACK_OFF_MIN_MS = 100
const BACK_OFF_MAX_MS = 2000
/** The server sends at least a ping a second; silence this long is a dead connection. */
const SILENCE_MS = 5000
const LINE_BYTES_MAX = 64 * 1024 * 1024
const REPORT_EVERY_MS = 1000
/** Between two reports of changes; what changes at the same moment goes into one. */
const DEBOUNCE_MS = 20
const SAME_MOMENT_MS = 1

/** What the server says beside asking for a report and how to beat. */
export type Told = Exclude<FromServer, NodeAsk | NodeVia>

/**
 * The agent's connection to the server: a stream of orders in, reports out, and beats while there is nothing new. Reconnects for ever. Messages may be lost or
 * doubled on both sides without harm, since each one is whole.
 */
export class ServerLink {
  readonly #way: ServerWay
  readonly #node: string
  readonly #life: { bootId: string; instance: number }
  readonly #log: Logger
  readonly #receive: (message: Told) => void
  readonly #report: () => NodeReport
  readonly #answered: (sentAtMs: number) => void
  readonly #isFenced: () => boolean
  readonly #beatNow: () => { seq: number; hash: number }
  readonly #beats: Beats
  /** hash of the last report that the server took */
  #toldHash: number | null = null
  #stream: ClientRequest | null = null
  /** gives the stream up and connects again */
  #again: (why: string) => void = () => {}
  #backOffMs = BACK_OFF_MIN_MS
  #reconnect: NodeJS.Timeout | undefined
  #beat: NodeJS.Timeout | undefined
  #soon: NodeJS.Timeout | undefined
  #isPosting = false
  /** of the monotonic clock */
  #postedAtMs = -Infinity
  #isDirty = false
  #isStopped = false
  /** why the last try failed: told once and not at each try */
  #trouble = ''
  isConnected = false
  lastAnswerAt: number | null = null

  constructor(options: {
    way: ServerWay
    node: string
    /** which life of the agent this is */
    life: { bootId: string; instance: number }
    log: Logger
    receive: (message: Told) => void
    report: () => NodeReport
    /** a server has taken a report that went out then, by the clock of `monotonicMs` */
    answered: (sentAtMs: number) => void
    /** how it beats over others, and others over it */
    relaying: BeatsOptions['relaying']
    /** whether something depends on these answers: a beat has none */
    isFenced: () => boolean
    /** what stands for a report while it would say what the last one said */
    beat: () => { seq: number; hash: number }
  }) {
    this.#way = options.way
    this.#node = options.node
    this.#life = options.life
    this.#log = options.log
    this.#receive = options.receive
    this.#report = options.report
    this.#answered = options.answered
    this.#isFenced = options.isFenced
    this.#beatNow = options.beat
    const { way, node, life, relaying } = options
    this.#beats = new Beats({ way, relaying, life: { node, ...life }, lost: () => this.#post() })
  }

  start(): void {
    this.#connect()
    this.#beat = setInterval(() => this.#tick(), REPORT_EVERY_MS)
    this.#post()
  }

  /** Something a report tells has changed: send one very soon. Before the start nothing is sent: what is adopted is not known yet. */
  reportSoon(): void {
    if (this.#isStopped || this.#beat === undefined) return
    const waitMs = Math.max(SAME_MOMENT_MS, this.#postedAtMs + DEBOUNCE_MS - monotonicMs())
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined
      this.#post()
    }, waitMs)
  }

  /** Whoever is at the other end is not to be listened to: tries again, elsewhere where there is another place to go. */
  leave(why: string): void {
    this.#again(why)
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#reconnect)
    clearTimeout(this.#soon)
    clearInterval(this.#beat)
    this.#stream?.destroy()
    this.#beats.close()
    this.#way.close()
  }

  #connect(): void {
    if (this.#isStopped) return
    let isOver = false
    const again = (why: string): void => {
      if (isOver) return
      isOver = true
      stream.destroy()
      this.#beats.close()
      this.#way.failed()
      if (this.isConnected || why !== this.#trouble) this.#log.warn(this.isConnected ? 'server lost' : 'no server', { why })
      this.#trouble = why
      this.isConnected = false
      this.#reconnect = setTimeout(() => this.#connect(), this.#backOffMs)
      this.#backOffMs = Math.min(this.#backOffMs * 2, BACK_OFF_MAX_MS)
    }
    this.#again = again
    const { bootId, instance } = this.#life
    const query = new URLSearchParams({ node: this.#node, boot: bootId, instance: String(instance) })
    const stream = this.#way.request({ path: `/v1/agent/stream?${query}`, isStream: true }, (response) => {
      if (response.statusCode !== 200) {
        const said = (text: string): void => again(`status ${response.statusCode} ${text.slice(0, 300)}`)
        void textOf(response).then(said, () => said(''))
        return
      }
      this.isConnected = true
      this.#trouble = ''
      this.#log.info('server connected')
      this.#beats.open()
      let rest = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => {
        const lines = (rest + text).split('\n')
        rest = lines.pop() ?? ''
        if (rest.length > LINE_BYTES_MAX) return again('line too long')
        // What comes behind the line at which it was given up is not read.
        for (const line of lines) if (line.trim() !== '' && this.isConnected) this.#handle(line)
      })
      response.once('close', () => again('closed'))
      response.once('error', (error) => again(error.message))
      this.#post()
    })
    this.#stream = stream
    stream.setTimeout(SILENCE_MS, () => again('silence'))
    stream.on('error', (error) => again(error.message))
    stream.end()
  }

  #handle(line: string): void {
    let message: FromServer
    try {
      message = JSON.parse(line) as FromServer
    } catch {
      this.#log.warn('server sent a line that is not JSON', { line: line.slice(0, 200) })
      return
    }
    this.lastAnswerAt = Date.now()
    if (message.kind === 'ping') this.#beats.heardPing(message.number)
    if (message.kind === 'report') this.#post()
    else if (message.kind === 'via') this.#beatOver(message)
    else this.#receive(message)
    if (this.isConnected) this.#backOffMs = BACK_OFF_MIN_MS
  }

  #beatOver({ relay }: NodeVia): void {
    this.#log.info('beats go another way', { over: relay?.node ?? 'none' })
    const wasOver = this.#beats.follow(relay)
    this.#beats.open()
    if (wasOver) this.#post()
  }

  /** A beat where the server takes them and knows all there is to say; else the whole report. */
  #tick(): void {
    if (this.#isStopped) return
    // Others' beats wait for nothing of ours.
    this.#beats.passOn()
    if (this.#isPosting) return
    if (this.isConnected) this.#beats.open()
    if (!this.#beats.isOpen || this.#isFenced()) return this.#post()
    const beat = this.#beatNow()
    if (beat.hash === this.#toldHash) this.#beats.write(beat)
    else this.#post()
  }

  #post(): void {
    if (this.#isStopped) return
    this.#isDirty = true
    if (this.#isPosting) return
    this.#isDirty = false
    this.#isPosting = true
    const sentAtMs = monotonicMs()
    this.#postedAtMs = sentAtMs
    const report = this.#report()
    const body = JSON.stringify(report)
    const done = (ok: boolean): void => {
      if (!this.#isPosting) return
      this.#isPosting = false
      if (ok) {
        this.lastAnswerAt = Date.now()
        this.#answered(sentAtMs)
      }
      this.#toldHash = ok ? (report.hash ?? null) : null
      // What changed meanwhile goes out now; what failed goes with the next beat.
      if (ok && this.#isDirty) this.reportSoon()
    }
    const outgoing = this.#way.request(
      {
        path: '/v1/agent/report',
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      },
      (response) => {
        response.resume()
        response.once('end', () => done((response.statusCode ?? 500) < 300))
      },
    )
    outgoing.setTimeout(5000, () => outgoing.destroy())
    outgoing.once('error', () => done(false))
    outgoing.once('close', () => done(false))
    outgoing.end(body)
  }
}
