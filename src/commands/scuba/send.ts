import { createReadStream } from 'node:fs'
import { Args, Flags, MusterCommand } from '../../cli/command.ts'
import { renderSend, type SendSummary } from '../../cli/render/scuba.ts'
import { errorFromBody, MusterError, type ErrorBody } from '../../core/kernel/errors.ts'
import { parseSize } from '../../core/kernel/units.ts'
import type { Receipt } from '../../core/scuba/wire-types.ts'

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
    ack: Flags.string({ description: 'acknowledged when in memory or on disk', options: ['memory', 'fsync'], default: 'fsync' }),
  }
  static override examples = [
    '<%= config.bin %> scuba send requests ./file.ndjson',
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
    for await (const batch of batchesOf(source, bytesMax, args.file)) {
      summary.batches += 1
      const receipt = await this.post(args.table, batch, flags.ack, flags.key === undefined ? undefined : `${flags.key}-${summary.batches}`)
      summary.bytes += batch.length
      summary.quarantined += receipt.quarantined
      if (receipt.duplicate) summary.duplicate += receipt.accepted
      else summary.accepted += receipt.accepted
      for (const { line, reason } of receipt.firstErrors)
        if (summary.firstErrors.length < 10) summary.firstErrors.push({ batch: summary.batches, line, reason })
      summary.last = receipt
      if (process.stderr.isTTY && summary.batches % 10 === 0) this.note(`${summary.accepted} rows sent`)
    }
    summary.elapsedMs = Math.round(performance.now() - started)
    await this.answer('scuba.send', summary, renderSend)
  }

  private async post(table: string, body: Uint8Array, ack: string, key: string | undefined): Promise<Receipt> {
    const headers: Record<string, string> = { 'content-type': 'application/x-ndjson', 'content-length': String(body.length) }
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
