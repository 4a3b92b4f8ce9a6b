import { Args, defined, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderSchedules } from '../../../cli/render/sev-oncall.ts'
import { timeOf } from '../../../cli/flags/time.ts'

const operation = remote('sev.schedule.show', async () => (await import('../../../core/sev/operations.ts')).scheduleShow)

export default class SevScheduleShow extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show the shifts and gaps of the schedules, a week ahead.'
  static override args = { schedule: Args.string({ description: 'only this schedule' }) }
  static override flags = {
    from: Flags.string({ description: 'from then on; now by default', helpValue: 'TIME' }),
    to: Flags.string({ description: 'until then', helpValue: 'TIME' }),
  }
  static override examples = [
    '<%= config.bin %> sev schedule show',
    '<%= config.bin %> sev schedule show web-primary --to 2026-12-31T00:00Z',
  ]

  input({ args, flags }: Parsed<typeof SevScheduleShow>): InputOf<typeof operation> {
    return defined({
      schedule: args.schedule,
      from: flags.from === undefined ? undefined : timeOf(flags.from),
      to: flags.to === undefined ? undefined : timeOf(flags.to),
    })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderSchedules(data, view)
  }
}
