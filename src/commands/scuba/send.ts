import { createReadStream } from 'node:fs'
import { Args, Flags, MusterCommand } from '../../cli/command.ts'
import { renderSend, type SendSummary } from '../../cli/render/scuba.ts'
import { errorFromBody, MusterError, type ErrorBody } from '../../core/kernel/errors.ts'
import { parseSize } from '../../core/kernel/units.ts'
import type { Receipt } from '../../core/scuba/wire-types.ts'

const CONTENT_TYPES: Record<string, string> = {
  ndjson: 'application/x-ndjson',
  json: 'application/json',
  csv: 'text/csv',
  parquet: 'application/vnd.apache.parquet',
}
/** Largest body. */
const WHOLE_BYTES_MAX = 64 * 1024 * 1024

interface BatchOptions {
  ack: string
  key: string | undefined
  format: string
}

export default class ScubaSend extends MusterCommand {
  static override summary = 'Send rows (one JSON object a line) into a table.'
  static override description =
    'A table appears with its first row. Lines that cannot become rows go to the table muster_quarantine. With --key a repeated run adds nothing twice.'
  static override args = {
    table: Args.string({ description: 'the table', required: true }),
    file: Args.string({ description: 'the file, or - for standard input', default: '-' }),
  }
  static override flags = {
    batch: Flags.string({ description: 'size of a request', default: '8MiB', helpValue: 'SIZE' }),
    key: Flags.string({ description: 'idempotency key; batch N is sent as PREFIX-N', helpValue: 'PREFIX' }),
    parallel: Flags.integer({ description: 'requests at once', default: 4, min: 1, max: 16 }),
    format: Flags.string({
      description: 'what the rows are; a CSV names its columns in its first line, and as Parquet is sent whole',
      options: ['ndjson', 'json', 'csv', 'parquet'],
      default: 'ndjson',
    }),
    ack: Flags.string({ description: 'acknowledged when in memory or on disk', options: ['memory', 'fsync'], default: 'fsync' }),
  }
  static override examples = [
    '<%= config.bin %> scuba send requests ./file.ndjson',
    '<%= config.bin %> scuba send requests ./file.csv --format csv',
    'cat file.ndjson | <%= config.bin %> scuba send requests -',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(ScubaSend)
    const bytesMax = parseSize(flags.batch)
    if (bytesMax === null || bytesMax < 1 || bytesMax > 48 * 1024 * 1024)
      throw new MusterError('USAGE', `--batch ${JSON.stringify(flags.batch)} is no size up to 48MiB`)
    const summary: SendSummary = {
      table: args.table,
      accepted: 0,
      quarantined: 0,
      duplicate: 0,
      batches: 0,
      bytes: 0,
      elapsedMs: 0,
      firstErrors: [],
      last: null,
    }
    const started = performance.now()
    const source = args.file === '-' ? process.stdin : createReadStream(args.file)
    const batches = flags.format === 'ndjson' ? batchesOf(source, bytesMax, args.file) : batchesOf(source, WHOLE_BYTES_MAX, args.file)
    const sender = async (): Promise<void> => {
      for (let { value: batch } = await batches.next(); batch; { value: batch } = await batches.next()) {
        const number = (summary.batches += 1)
        if (flags.format !== 'ndjson' && number > 1)
          throw new MusterError('SCUBA_TOO_LARGE', `${args.file} is larger than 64 MiB, and ${flags.format} is sent whole`, {
            hint: 'Make NDJSON of it, or several files.',
          })
        const key = flags.key === undefined ? undefined : `${flags.key}-${number}`
        const receipt = await this.sendBatch(args.table, batch, { ack: flags.ack, key, format: flags.format })
        summary.bytes += batch.length
        summary.quarantined += receipt.quarantined
        if (receipt.duplicate) summary.duplicate += receipt.accepted
        else summary.accepted += receipt.accepted
        for (const { line, reason } of receipt.firstErrors)
          if (summary.firstErrors.length < 10) summary.firstErrors.push({ batch: number, line, reason })
        summary.last = receipt
        if (process.stderr.isTTY && number % 10 === 0) this.note(`${summary.accepted} rows sent`)
      }
    }
    // A sender that fails ends the others at their next batch: none is begun after an error.
    await Promise.all(Array.from({ length: flags.format === 'ndjson' ? flags.parallel : 1 }, sender)).finally(() =>
      batches.return(undefined),
    )
    summary.elapsedMs = Math.round(performance.now() - started)
    await this.answer('scuba.send', summary, renderSend)
  }

  /** Sends a batch, again while the store says that it has too much to do. */
  private async sendBatch(table: string, body: Uint8Array, options: BatchOptions): Promise<Receipt> {
    for (;;) {
      try {
        return await this.post(table, body, options)
      } catch (error) {
        if (!(error instanceof MusterError) || error.code !== 'SCUBA_BUSY') throw error
        const { retryAfterMs } = (error.details ?? {}) as { retryAfterMs?: number }
        this.note(error.message)
        await new Promise((resolve) => setTimeout(resolve, retryAfterMs ?? 1000))
      }
    }
  }

  private async post(table: string, body: Uint8Array, { ack, key, format }: BatchOptions): Promise<Receipt> {
    const headers: Record<string, string> = { 'content-type': CONTENT_TYPES[format] ?? '', 'content-length': String(body.length) }
    if (key !== undefined) headers['idempotency-key'] = key
    const response = await this.client.request('POST', `/v1/scuba/tables/${encodeURIComponent(table)}/rows?ack=${ack}`, { headers, body })
    let text = ''
    for await (const part of response.setEncoding('utf8')) text += String(part)
    if (response.statusCode === 200) return JSON.parse(text) as Receipt
    throw errorFromBody((JSON.parse(text) as { error: ErrorBody }).error)
  }
}

/**
 * Whole lines, up to `bytesMax` together (a longer line is a batch of its own). Where it cuts depends on the bytes alone, not
 * on how they arrive: a second run with the same key has the same batches.
 */
async function* batchesOf(source: AsyncIterable<Buffer | string>, bytesMax: number, name: string): AsyncGenerator<Buffer> {
  let waiting = Buffer.alloc(0)
  let parts: Buffer[] = []
  let bytes = 0
  try {
    for await (const piece of source) {
      const part = Buffer.from(piece)
      parts.push(part)
      bytes += part.length
      if (waiting.length + bytes < bytesMax) continue
      waiting = Buffer.concat([waiting, ...parts])
      parts = []
      bytes = 0
      for (let end = cut(waiting, bytesMax); end > 0; end = cut(waiting, bytesMax)) {
        yield waiting.subarray(0, end)
        waiting = waiting.subarray(end)
      }
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined || error instanceof MusterError) throw error
    throw new MusterError('FILE_UNREADABLE', `${name} cannot be read (${code})`, { cause: error })
  }
  if (waiting.length + bytes > 0) yield Buffer.concat([waiting, ...parts])
}

/** End of the first batch: behind the last line end within `bytesMax`, else behind the first one; 0 when more bytes are needed. */
function cut(bytes: Buffer, bytesMax: number): number {
  if (bytes.length < bytesMax) return 0
  return bytes.lastIndexOf(10, bytesMax - 1) + 1 || bytes.indexOf(10) + 1
}
