import { Args, defined, Flags, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderActed } from '../../cli/render/sev.ts'
import { timeOf } from '../../cli/flags/time.ts'

const operation = remote('sev.incident.declare', async () => (await import('../../core/sev/operations.ts')).incidentDeclare)

export default class SevDeclare extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Open an incident and page who is on call.'
  static override args = { title: Args.string({ description: 'what is wrong, in one line', required: true }) }
  static override flags = {
    service: Flags.string({ description: 'the service that is hurt' }),
    sev: Flags.integer({ description: '1: global outage … 4: minor', min: 1, max: 4, default: 2 }),
    since: Flags.string({ description: 'since when it is bad', helpValue: 'TIME' }),
    drill: Flags.boolean({ description: 'an exercise: everything is real, and says DRILL first' }),
  }
  static override examples = [
    "<%= config.bin %> sev declare 'feed shows old posts' --service web --sev 2",
    "<%= config.bin %> sev declare 'practice' --drill --sev 3",
  ]

  input({ args, flags }: Parsed<typeof SevDeclare>): InputOf<typeof operation> {
    return defined({
      title: args.title,
      service: flags.service,
      level: flags.sev as 1 | 2 | 3 | 4,
      since: flags.since === undefined ? undefined : timeOf(flags.since),
      isDrill: flags.drill,
    })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderActed(data, view)
  }
}
