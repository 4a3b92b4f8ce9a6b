import { Args, defined, Flags, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { policyText } from '../../../cli/render/scuba-keeping.ts'
import { numberFlag, thinFlag } from '../../../cli/flags/retention.ts'

const operation = remote('scuba.retention.put', async () => (await import('../../../core/scuba/operations/retention.ts')).scubaRetentionPut)

export default class ScubaRetentionPut extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Set how long a table is kept, in how much space, and how its old rows are thinned.'
  static override args = { table: Args.string({ description: 'the table', required: true }) }
  static override flags = {
    days: Flags.string({ description: 'rows older than this go', helpValue: 'DAYS' }),
    gb: Flags.string({ description: 'beyond this much, the oldest rows go', helpValue: 'GB' }),
    thin: Flags.string({
      description: 'from an age on keep one row in so many, traces whole; may be repeated; "none": keep all',
      helpValue: '7d=1/10',
      multiple: true,
      multipleNonGreedy: true,
    }),
    default: Flags.boolean({ description: 'keep it as any table: 30 days, 100 GB', exclusive: ['days', 'gb', 'thin'] }),
  }
  static override examples = [
    '<%= config.bin %> scuba retention put requests --days 30 --gb 100 --thin 7d=1/10 --yes',
    '<%= config.bin %> scuba retention put requests --days 14 --plan',
  ]

  input({ args, flags }: Parsed<typeof ScubaRetentionPut>): InputOf<typeof operation> {
    const { days, gb, thin } = flags
    return defined({
      table: args.table,
      days: numberFlag('days', days),
      gb: numberFlag('gb', gb),
      thin: thinFlag(thin),
      isDefault: flags.default,
    })
  }

  render({ table, policy }: OutputOf<typeof operation>): string {
    return `${table} is kept: ${policyText(policy)}.`
  }
}
