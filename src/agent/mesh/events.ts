import { Agent, request } from 'node:http'
import { randomBytes } from 'node:crypto'

const PACK_ROWS = 500
const PACKS_A_POST_MAX = 10
const PACKS_MAX = 100
const BATCH_MS = 250
const RETRY_MS = 500
const POST_TIMEOUT_MS = 10_000

export interface EventsStats {
  sent: number
  waiting: number
  dropped: number
}

/** Rows that wait, as the bytes that will be sent: texts put together from pieces take four times the memory. */
interface Pack {
  rows: number
  bytes: Buffer
}

/**
 * Takes request events to the node's scuba leaf: NDJSON over its Unix socket, every 250 ms or 500 rows, one post in
 * flight. While the leaf is away rows wait in a bounded buffer (50,000 rows), whose oldest are dropped and counted. A post
 * that may have arrived is sent again under the same idempotency key.
 */
export class EventSender {
  readonly #socketPath: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  readonly #sender = randomBytes(8).toString('hex')
  #lines: string[] = []
  #packs: Pack[] = []
  #post: { key: string; pack: Pack } | null = null
  #posts = 0
  #timer: NodeJS.Timeout | null = null
  #sent = 0
  #dropped = 0
  #isClosing = false

  constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  /** @param line one JSON object, without a line end */
  add(line: string): void {
    this.#lines.push(line)
    if (this.#lines.length >= PACK_ROWS) {
      this.#pack()
      if (this.#post === null) this.#send()
    } else if (this.#post === null) this.#timer ??= setTimeout(() => this.#send(), BATCH_MS)
  }

  stats(): EventsStats {
    const packed = this.#packs.reduce((sum, { rows }) => sum + rows, 0)
    return { sent: this.#sent, waiting: this.#lines.length + packed + (this.#post?.pack.rows ?? 0), dropped: this.#dropped }
  }

  /** Sends what waits, for at most `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    const untilMs = Date.now() + timeoutMs
    while (this.stats().waiting > 0 && Date.now() < untilMs) {
      if (this.#post === null) this.#send()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    this.#isClosing = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#agent.destroy()
  }

  #pack(): void {
    if (this.#lines.length === 0) return
    this.#packs.push({ rows: this.#lines.length, bytes: Buffer.from(`${this.#lines.join('\n')}\n`) })
    this.#lines = []
    if (this.#packs.length > PACKS_MAX) this.#dropped += this.#packs.shift()?.rows ?? 0
  }

  #send(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#post === null) {
      this.#pack()
      if (this.#packs.length === 0) return
      const packs = this.#packs.splice(0, PACKS_A_POST_MAX)
      this.#posts += 1
      const pack = { rows: packs.reduce((sum, { rows }) => sum + rows, 0), bytes: Buffer.concat(packs.map(({ bytes }) => bytes)) }
      this.#post = { key: `${this.#sender}-${this.#posts}`, pack }
    }
    const { key, pack } = this.#post
    void this.#deliver(key, pack.bytes).then((answer) => {
      if (answer === 'away') {
        if (!this.#isClosing) this.#timer = setTimeout(() => this.#send(), RETRY_MS)
        return
      }
      if (answer === 'taken') this.#sent += pack.rows
      else this.#dropped += pack.rows
      this.#post = null
      if (this.#isClosing) return
      if (this.#packs.length > 0) this.#send()
      else if (this.#lines.length > 0) this.#timer ??= setTimeout(() => this.#send(), BATCH_MS)
    })
  }

  /** `refused`: the leaf will never take this batch, so it must not stand in the way of the next. */
  #deliver(key: string, body: Buffer): Promise<'taken' | 'refused' | 'away'> {
    return new Promise((resolve) => {
      const call = request(
        {
          socketPath: this.#socketPath,
          agent: this.#agent,
          method: 'POST',
          path: '/v1/scuba/tables/requests/rows',
          headers: { 'content-type': 'application/x-ndjson', 'content-length': body.length, 'idempotency-key': key },
          timeout: POST_TIMEOUT_MS,
        },
        (answer) => {
          const status = answer.statusCode ?? 0
          answer.resume()
          answer.on('close', () => resolve(status < 300 ? 'taken' : status >= 400 && status < 500 && status !== 429 ? 'refused' : 'away'))
        },
      )
      call.on('timeout', () => call.destroy(new Error('the leaf did not answer')))
      call.on('error', () => resolve('away'))
      call.end(body)
    })
  }
}
