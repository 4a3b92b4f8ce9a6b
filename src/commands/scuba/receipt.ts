import { Args, defined, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { missingExit } from '../../cli/flags/rows.ts'
import { renderReceipts } from '../../cli/render/scuba-keeping.ts'

const operation = remote('scuba.receipt.list', async () => (await import('../../core/scuba/operations/receipts.ts')).scubaReceiptList)

export default class ScubaReceipt extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Look up what became of a batch by its idempotency key.'
  static override args = {
    key: Args.string({ description: 'the key; of `scuba send --key PREFIX` it is PREFIX-1, PREFIX-2 …', required: true }),
  }
  static override flags = {
    table: Flags.string({ description: 'only of this table', helpValue: 'TABLE' }),
    prefix: Flags.boolean({ description: 'all keys that begin so, the newest first', default: false }),
    limit: Flags.integer({ description: 'this many at most', default: 100, min: 1, max: 10_000 }),
  }
  static override examples = [
    '<%= config.bin %> scuba receipt nightly-3',
    '<%= config.bin %> scuba receipt nightly --prefix --table requests',
  ]

  input({ args, flags }: Parsed<typeof ScubaReceipt>): InputOf<typeof operation> {
    return defined({ key: args.key, isPrefix: flags.prefix, table: flags.table, limit: flags.limit })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderReceipts(data, view)
  }

  override exitCode(data: OutputOf<typeof operation>): number {
    return missingExit(data)
  }
}
