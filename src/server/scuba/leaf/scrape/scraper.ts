import { isRefusal, refuse } from '../../../../core/kernel/errors.ts'
import { DECODE } from '../../../../core/scuba/decode/limits.ts'
import { parseTarget, type Target } from '../../../../core/scuba/decode/prometheus/target.ts'
import { addSample, seriesRow, STALE } from '../../../../core/scuba/decode/series.ts'
import { RowList, SAMPLES_TABLE } from '../../../../core/scuba/decode/rows.ts'
import { hashText } from '../../../../core/kernel/hash.ts'
import type { DecodedBody } from '../listen/decode-main.ts'
import { take, type Intake } from '../listen/take.ts'

export interface ScrapeStatus {
  /** as it was asked for */
  target: string
  /** ms; null: not yet */
  lastMs: number | null
  samples: number
  /** null: the last page was read */
  error: string | null
}

const TIMEOUT_MS = 10_000
const ACCEPT = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'

type Series = NonNullable<DecodedBody['series']>

/**
 * Reads pages of metrics, each target in its own turn and never twice at once. Beside the page's rows there are those Prometheus makes: `up`,
 * `scrape_duration_seconds`, `scrape_samples_scraped`, and a staleness marker for each series that was there the last time.
 */
export class Scraper {
  readonly #intake: Intake
  readonly #runs: Run[]
  readonly #stopping = new AbortController()

  constructor(targets: readonly string[], intake: Intake) {
    this.#intake = intake
    this.#runs = targets.flatMap((text) => {
      const target = parseTarget(text)
      if (!isRefusal(target)) return [new Run(text, target, intake, this.#stopping.signal)]
      intake.store.log.error('a page of metrics is not read', { target: text, why: target.message })
      return []
    })
  }

  start(): void {
    for (const run of this.#runs) run.start()
    if (this.#runs.length > 0) this.#intake.store.log.info('pages of metrics are read', { targets: this.#runs.length })
  }

  status(): ScrapeStatus[] {
    return this.#runs.map(({ status }) => status)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all(this.#runs.map((run) => run.stop()))
  }
}

class Run {
  readonly status: ScrapeStatus
  readonly #target: Target
  readonly #intake: Intake
  readonly #stopping: AbortSignal
  #timer: NodeJS.Timeout | null = null
  #running: Promise<void> = Promise.resolve()
  #before: Series = new Map()

  constructor(text: string, target: Target, intake: Intake, stopping: AbortSignal) {
    this.status = { target: text, lastMs: null, samples: 0, error: null }
    this.#target = target
    this.#intake = intake
    this.#stopping = stopping
  }

  /** At a moment of its period that is its own, so that targets do not all come at once. */
  start(): void {
    const { url, everyMs } = this.#target
    const waitMs = everyMs - ((Date.now() + hashText(url)) % everyMs)
    this.#timer = setTimeout(
      () => {
        this.#timer = setInterval(() => void this.#turn(), everyMs)
        void this.#turn()
      },
      Math.min(waitMs, everyMs),
    )
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
    await this.#running
  }

  #isBusy = false

  async #turn(): Promise<void> {
    // The page before is still on its way: a turn is left out rather than queued.
    if (this.#isBusy) return
    this.#isBusy = true
    this.#running = this.#scrape().finally(() => (this.#isBusy = false))
    await this.#running
  }

  async #scrape(): Promise<void> {
    const { job, instance } = this.#target
    const atMs = Date.now()
    const started = performance.now()
    const labels = { job, instance }
    let page: DecodedBody | null = null
    try {
      const { body, format } = await this.#fetch()
      page = await this.#intake.decoders.decode({ kind: 'exposition', format, atMs, labels, body })
      this.status.error = null
    } catch (error) {
      if (this.#stopping.aborted) return
      this.status.error = (error as Error).name === 'TimeoutError' ? `no page within ${TIMEOUT_MS / 1000} s` : causeOf(error)
    }
    this.status.lastMs = atMs
    this.status.samples = page?.rows ?? 0
    const own = new RowList()
    const series: Series = page?.series ?? new Map()
    for (const [hash, { name, labels: of }] of this.#before)
      if (!series.has(hash)) own.add({ time: atMs * 1000, ...seriesRow(name, of), kind: 'prometheus', marker: STALE })
    this.#before = series
    const about = {
      up: page === null ? 0 : 1,
      scrape_duration_seconds: (performance.now() - started) / 1000,
      scrape_samples_scraped: page?.rows ?? 0,
    }
    for (const [name, value] of Object.entries(about))
      addSample(own, seriesRow(name, Object.entries(labels)), atMs * 1000, 'gauge', value, false)
    try {
      const body = Buffer.concat([page?.body ?? Buffer.alloc(0), Buffer.from(`${own.lines.join('\n')}\n`)])
      const slots = Uint16Array.from([...(page?.slots ?? []), ...own.slots])
      await take(this.#intake, { table: SAMPLES_TABLE, body, slots, sender: `scrape ${instance}` }, null)
    } catch (error) {
      // The next page comes by itself; of this one it is known that it is missing.
      this.status.error = `not stored: ${(error as Error).message}`
      this.#intake.store.log.warn('a page of metrics was not stored', { target: this.status.target, error: String(error) })
    }
  }

  async #fetch(): Promise<{ body: Uint8Array; format: 'text' | 'openmetrics' }> {
    const signal = AbortSignal.any([this.#stopping, AbortSignal.timeout(Math.min(TIMEOUT_MS, this.#target.everyMs))])
    const response = await fetch(this.#target.url, { signal, headers: { accept: ACCEPT }, redirect: 'error' })
    if (response.status !== 200) throw refuse('UNAVAILABLE', `it answers ${response.status}`)
    const parts: Uint8Array[] = []
    let bytes = 0
    for await (const part of response.body ?? []) {
      bytes += part.byteLength
      if (bytes > DECODE.inflatedBytesMax)
        throw refuse('SCUBA_TOO_LARGE', `its page is larger than ${DECODE.inflatedBytesMax / 1024 / 1024} MiB`)
      parts.push(part)
    }
    const body = new Uint8Array(bytes)
    let at = 0
    for (const part of parts) {
      body.set(part, at)
      at += part.byteLength
    }
    const isOpen = (response.headers.get('content-type') ?? '').includes('openmetrics')
    return { body, format: isOpen ? 'openmetrics' : 'text' }
  }
}

/** `fetch` says only "fetch failed"; why is in its cause. */
function causeOf(error: unknown): string {
  const { cause, message } = error as Error
  return cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : message
}
