import { Args, ChangeCommand, defined, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { timeOf } from '../../../cli/flags/time.ts'
import { renderAlert } from '../../../cli/render/scuba-alerts.ts'

const operation = remote('scuba.alert.pause', async () => (await import('../../../core/scuba/operations.ts')).scubaAlertPause)

export default class ScubaAlertPause extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Stop looking at an alert rule for a while, or go on.'
  static override args = { name: Args.string({ description: 'the rule', required: true }) }
  static override flags = {
    for: Flags.string({ description: 'how long; 1h by default', helpValue: 'DURATION', exclusive: ['resume', 'until'] }),
    until: Flags.string({ description: 'until when', helpValue: 'TIME', exclusive: ['resume'] }),
    reason: Flags.string({ description: 'why, for the log', helpValue: 'TEXT' }),
    resume: Flags.boolean({ description: 'look at it again' }),
  }
  static override examples = [
    '<%= config.bin %> scuba alert pause feed-5xx --for 30m --reason "load test"',
    '<%= config.bin %> scuba alert pause feed-5xx --until 2099-01-01T09:00Z --reason "migration"',
    '<%= config.bin %> scuba alert pause feed-5xx --resume',
  ]

  input({ args, flags }: Parsed<typeof ScubaAlertPause>): InputOf<typeof operation> {
    const untilMs = flags.until === undefined ? undefined : timeOf(flags.until)
    return defined({ name: args.name, untilMs, for: flags.for, reason: flags.reason, resume: flags.resume })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderAlert(data, view)
  }
}
