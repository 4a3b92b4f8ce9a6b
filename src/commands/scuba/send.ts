import { createReadStream } from 'node:fs'
import { Args, Flags, MusterCommand, type Parsed } from '../../cli/command.ts'
import { renderSend } from '../../cli/render/scuba.ts'
import { batchesOf } from '../../cli/send/batches.ts'
import { sendFollowing } from '../../cli/send/follow.ts'
import { Sender } from '../../cli/send/sender.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import { parseSize } from '../../core/kernel/units.ts'
import { ACK_LEVELS } from '../../core/scuba/wire-types.ts'

const CONTENT_TYPES: Record<string, string> = {
  ndjson: 'application/x-ndjson',
  json: 'application/json',
  csv: 'text/csv',
  parquet: 'application/vnd.apache.parquet',
}
/** Largest body. */
const WHOLE_BYTES_MAX = 64 * 1024 * 1024

export default class ScubaSend extends MusterCommand {
  static override summary = 'Send rows (one JSON object a line) into a table.'
  static override description =
    'A table appears with its first row. Lines that cannot become rows go to the table muster_quarantine. With --key a repeated run adds nothing twice. From a pipe, lines are sent when they have waited for a second.'
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
    resume: Flags.boolean({ description: 'send only what the store does not have under --key', dependsOn: ['key'] }),
    follow: Flags.boolean({ char: 'f', description: 'go on with what is appended to the file, also when it is rotated', default: false }),
    validate: Flags.boolean({ description: 'keep all lines of a batch or, when one is bad, none', default: false }),
    'on-shard-away': Flags.string({
      description:
        'what becomes of rows whose leaf is away: kept here (exit 6), or sent to any other, where a repeated run may add them twice',
      options: ['keep', 'any'],
      default: 'keep',
    }),
    ack: Flags.string({
      description:
        'acknowledged when in memory, on disk, or on the disks of all its copies; default: fsync, or replicas if the table asks for copies',
      options: [...ACK_LEVELS],
    }),
  }
  static override examples = [
    '<%= config.bin %> scuba send requests ./file.ndjson',
    '<%= config.bin %> scuba send requests ./file.csv --format csv',
    'cat file.ndjson | <%= config.bin %> scuba send requests -',
    '<%= config.bin %> scuba send requests ./file.ndjson --follow --key app1 --resume',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(ScubaSend)
    const bytesMax = parseSize(flags.batch)
    if (bytesMax === null || bytesMax < 1 || bytesMax > 48 * 1024 * 1024)
      throw new MusterError('USAGE', `--batch ${JSON.stringify(flags.batch)} is no size up to 48MiB`)
    const usage = misuse(args.file, flags)
    if (usage !== null) throw new MusterError('USAGE', usage)
    const sender = new Sender(
      this.client,
      {
        table: args.table,
        ack: flags.ack,
        contentType: CONTENT_TYPES[flags.format] ?? '',
        isStrict: flags.validate,
        isAnyLeafGood: flags['on-shard-away'] === 'any',
      },
      (text) => this.note(text),
    )
    const started = performance.now()
    if (flags.follow) {
      const { key, resume: isResumed } = flags
      await sendFollowing(sender, { path: args.file, bytesMax, key, isResumed }, this.interrupted())
    } else if (flags.format === 'ndjson') await this.sendLines(sender, args.file, bytesMax, flags)
    else await this.sendWhole(sender, args.file, flags)
    sender.summary.elapsedMs = Math.round(performance.now() - started)
    await this.answer('scuba.send', sender.summary, renderSend)
  }

  private async sendLines(sender: Sender, file: string, bytesMax: number, { key, parallel, resume }: SendFlags): Promise<void> {
    const source = file === '-' ? process.stdin : createReadStream(file)
    // By time, batches would be cut elsewhere in a second run, and its keys would be of other bytes.
    const batches = batchesOf(source, bytesMax, file, file === '-' && key === undefined)
    let number = 0
    const one = async (): Promise<void> => {
      for (let { value: batch } = await batches.next(); batch; { value: batch } = await batches.next()) {
        const its = (number += 1)
        const name = key === undefined ? undefined : `${key}-${its}`
        if (name !== undefined && resume && (await sender.isThere(batch, name))) continue
        await sender.send(its, batch, name)
      }
    }
    try {
      // One that fails ends the others at their next batch: none is begun after an error.
      await Promise.all(Array.from({ length: parallel }, one))
    } finally {
      source.destroy()
      await batches.return(undefined)
    }
  }

  private async sendWhole(sender: Sender, file: string, { key, format }: SendFlags): Promise<void> {
    const source = file === '-' ? process.stdin : createReadStream(file)
    let number = 0
    for await (const batch of batchesOf(source, WHOLE_BYTES_MAX, file)) {
      if ((number += 1) > 1)
        throw new MusterError('SCUBA_TOO_LARGE', `${file} is larger than 64 MiB, and ${format} is sent whole`, {
          hint: 'Make NDJSON of it, or several files.',
        })
      await sender.send(1, batch, key === undefined ? undefined : `${key}-1`)
    }
  }
}

type SendFlags = Parsed<typeof ScubaSend>['flags']

/** Why the flags do not go together; null: they do. */
function misuse(file: string, { follow, format }: SendFlags): string | null {
  if (!follow) return null
  if (file === '-') return 'a pipe is followed to its end anyway: --follow is for files'
  return format === 'ndjson' ? null : `--follow is for lines of JSON, and ${format} is sent whole`
}
