import { Agent, request } from 'node:http'
import { randomBytes } from 'node:crypto'

const BATCH_ROWS_MAX = 5000
const BATCH_ROWS_SOON = 500
const BATCH_MS = 250
const BUFFER_ROWS_MAX = 50_000
const RETRY_MS = 500
const POST_TIMEOUT_MS = 10_000

export interface EventsStats {
  sent: number
  waiting: number
  dropped: number
}

/**
 * Takes request events to the node's scuba leaf: NDJSON over its Unix socket, every 250 ms or 500 rows, one batch in
 * flight. While the leaf is away rows wait in a bounded buffer, whose oldest are dropped and counted. A batch that
 * may have arrived is sent again under the same idempotency key.
 */
export class EventSender {
  readonly #socketPath: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  readonly #sender = randomBytes(8).toString('hex')
  #lines: string[] = []
  #batch: { key: string; lines: string[] } | null = null
  #batches = 0
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
    if (this.#lines.length > BUFFER_ROWS_MAX + BATCH_ROWS_SOON) {
      // Cut in steps: shifting one row at a time would cost the whole array each time.
      this.#dropped += this.#lines.length - BUFFER_ROWS_MAX
      this.#lines = this.#lines.slice(-BUFFER_ROWS_MAX)
    }
    if (this.#batch !== null) return
    if (this.#lines.length >= BATCH_ROWS_SOON) this.#send()
    else this.#timer ??= setTimeout(() => this.#send(), BATCH_MS)
  }

  stats(): EventsStats {
    return { sent: this.#sent, waiting: this.#lines.length + (this.#batch?.lines.length ?? 0), dropped: this.#dropped }
  }

  /** Sends what waits, for at most `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    const untilMs = Date.now() + timeoutMs
    while (this.stats().waiting > 0 && Date.now() < untilMs) {
      if (this.#batch === null) this.#send()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    this.#isClosing = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#agent.destroy()
  }

  #send(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#batch === null) {
      if (this.#lines.length === 0) return
      this.#batches += 1
      const lines = this.#lines.splice(0, BATCH_ROWS_MAX)
      this.#batch = { key: `${this.#sender}-${this.#batches}`, lines }
    }
    const batch = this.#batch
    void this.#post(batch.key, `${batch.lines.join('\n')}\n`).then((answer) => {
      if (answer === 'away') {
        if (!this.#isClosing) this.#timer = setTimeout(() => this.#send(), RETRY_MS)
        return
      }
      if (answer === 'taken') this.#sent += batch.lines.length
      else this.#dropped += batch.lines.length
      this.#batch = null
      if (this.#isClosing || this.#lines.length === 0) return
      if (this.#lines.length >= BATCH_ROWS_SOON) this.#send()
      else this.#timer ??= setTimeout(() => this.#send(), BATCH_MS)
    })
  }

  /** `refused`: the leaf will never take this batch, so it must not stand in the way of the next. */
  #post(key: string, body: string): Promise<'taken' | 'refused' | 'away'> {
    return new Promise((resolve) => {
      const call = request(
        {
          socketPath: this.#socketPath,
          agent: this.#agent,
          method: 'POST',
          path: '/v1/scuba/tables/requests/rows',
          headers: { 'content-type': 'application/x-ndjson', 'content-length': Buffer.byteLength(body), 'idempotency-key': key },
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
