import { Args, defined, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderTimeline } from '../../cli/render/sev.ts'
import { incidentNumber } from '../../cli/flags/incident-number.ts'
import { timeOf } from '../../cli/flags/time.ts'

const operation = remote('sev.timeline', async () => (await import('../../core/sev/operations.ts')).timeline)

export default class SevTimeline extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'What happened, in order: alerts, changes, pages, people.'
  static override args = { incident: Args.string({ description: 'number of the incident; left out: the open one, or the last' }) }
  static override flags = {
    since: Flags.string({ description: 'only from then on', helpValue: 'TIME' }),
    verify: Flags.boolean({ description: 'walk the hash chain' }),
  }
  static override examples = ['<%= config.bin %> sev timeline', '<%= config.bin %> sev timeline 1042 --verify']

  input({ args, flags }: Parsed<typeof SevTimeline>): InputOf<typeof operation> {
    return defined({
      incident: args.incident === undefined ? undefined : incidentNumber(args.incident),
      since: flags.since === undefined ? undefined : timeOf(flags.since),
      isVerified: flags.verify,
    })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderTimeline(data, view)
  }

  override exitCode(data: OutputOf<typeof operation>): number {
    return data.brokenRow !== null && data.brokenRow > 0 ? 1 : 0
  }
}
