import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { errorFromBody, MusterError, type ErrorBody } from '../../core/kernel/errors.ts'
import type { ReceiptList } from '../../core/scuba/operations/receipts.ts'
import type { Receipt } from '../../core/scuba/wire-types.ts'
import type { Client } from '../client.ts'
import type { SendSummary } from '../render/scuba.ts'

export interface SendOptions {
  table: string
  /** undefined: as the table asks for it */
  ack: string | undefined
  contentType: string
  /** no row is kept of a batch in which one is bad */
  isStrict: boolean
  /** rows whose leaf is away may go to another one */
  isAnyLeafGood?: boolean
}

const ERRORS_MAX = 10
/** They end by themselves. */
const WAITED_FOR: ReadonlySet<string> = new Set(['SCUBA_BUSY', 'SCUBA_QUOTA'])

/** Sends batches to a table and sums up what became of them. */
export class Sender {
  readonly summary: SendSummary
  readonly #client: Client
  readonly #options: SendOptions
  readonly #note: (text: string) => void

  constructor(client: Client, options: SendOptions, note: (text: string) => void) {
    this.#client = client
    this.#options = options
    this.#note = note
    this.summary = {
      ...{ table: options.table, accepted: 0, quarantined: 0, duplicate: 0, batches: 0, bytes: 0, elapsedMs: 0 },
      ...{ firstErrors: [], last: null },
    }
  }

  /** Sends a batch, again while the store says that it has too much to do, or that a quota is used up. */
  async send(number: number, body: Buffer, key: string | undefined): Promise<void> {
    for (;;) {
      try {
        return this.#count(number, body, await this.#post(body, key))
      } catch (error) {
        if (!(error instanceof MusterError) || !WAITED_FOR.has(error.code)) throw error
        const { retryAfterMs } = (error.details ?? {}) as { retryAfterMs?: number }
        this.#note(error.message)
        await sleep(retryAfterMs ?? 1000)
      }
    }
  }

  /** Whether the batch is in already; it is counted then, and need not be sent. */
  async isThere(body: Buffer, key: string): Promise<boolean> {
    const [known] = await this.receipts(key, false)
    if (known === undefined) return false
    if (known.digest !== createHash('sha256').update(body).digest('hex').slice(0, known.digest.length))
      throw new MusterError('SCUBA_KEY_REUSED', `the key ${JSON.stringify(key)} came with other bytes before`)
    this.summary.batches += 1
    this.summary.bytes += body.length
    this.summary.duplicate += known.accepted
    this.summary.quarantined += known.quarantined
    return true
  }

  /** What the store knows of keys of the table. */
  async receipts(key: string, isPrefix: boolean): Promise<ReceiptList['receipts']> {
    const { data } = await this.#client.call<ReceiptList>('scuba.receipt.list', { table: this.#options.table, key, isPrefix, limit: 1 })
    return data.receipts
  }

  #count(batch: number, body: Buffer, receipt: Receipt): void {
    const { summary } = this
    summary.batches += 1
    summary.bytes += body.length
    summary.quarantined += receipt.quarantined
    if (receipt.duplicate) summary.duplicate += receipt.accepted
    else summary.accepted += receipt.accepted
    for (const { line, reason } of receipt.firstErrors)
      if (summary.firstErrors.length < ERRORS_MAX) summary.firstErrors.push({ batch, line, reason })
    summary.last = receipt
    if (process.stderr.isTTY && summary.batches % 10 === 0) this.#note(`${summary.accepted} rows sent`)
  }

  async #post(body: Buffer, key: string | undefined): Promise<Receipt> {
    const { table, ack, contentType, isStrict, isAnyLeafGood = false } = this.#options
    const headers: Record<string, string> = { 'content-type': contentType, 'content-length': String(body.length) }
    if (key !== undefined) headers['idempotency-key'] = key
    const asked = [
      ...(ack === undefined ? [] : [`ack=${ack}`]),
      ...(isStrict ? ['validate=sync'] : []),
      ...(isAnyLeafGood ? ['away=any'] : []),
    ]
    const path = `/v1/scuba/tables/${encodeURIComponent(table)}/rows?${asked.join('&')}`
    const response = await this.#client.request('POST', path, { headers, body })
    let text = ''
    for await (const part of response.setEncoding('utf8')) text += String(part)
    if (response.statusCode === 200) return JSON.parse(text) as Receipt
    throw errorFromBody((JSON.parse(text) as { error: ErrorBody }).error)
  }
}
