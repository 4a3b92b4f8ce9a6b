import { Args, defined, Flags, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { spanFlag } from '../../../cli/flags/retention.ts'

const operation = remote('scuba.hold.put', async () => (await import('../../../core/scuba/operations/retention.ts')).scubaHoldPut)

export default class ScubaHoldPut extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Hold the rows of a time: retention, thinning and erasure leave them alone.'
  static override args = { table: Args.string({ description: 'only this table' }) }
  static override flags = {
    span: Flags.string({ description: 'the time: FROM..TO, or so long before now', required: true, helpValue: '6h' }),
    sev: Flags.integer({ description: 'number of the incident it is for' }),
    reason: Flags.string({ description: 'why, for the log; without it the title of the incident', helpValue: 'TEXT' }),
  }
  static override examples = [
    '<%= config.bin %> scuba hold put --sev 1042 --span 6h',
    '<%= config.bin %> scuba hold put requests --span 2026-11-02T09:00Z..2026-11-02T11:00Z --reason "postmortem of the login outage"',
  ]

  input({ args, flags }: Parsed<typeof ScubaHoldPut>): InputOf<typeof operation> {
    return defined({ table: args.table, ...spanFlag(flags.span, Date.now()), sev: flags.sev, reason: flags.reason })
  }

  render({ id, table, fromMs, toMs }: OutputOf<typeof operation>): string {
    return `Hold ${id} keeps rows of ${table ?? 'all tables'} from ${new Date(fromMs).toISOString()} to ${new Date(toMs).toISOString()}.`
  }
}
