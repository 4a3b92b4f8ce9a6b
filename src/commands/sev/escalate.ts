import { Args, defined, Flags, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderActed } from '../../cli/render/sev.ts'
import { incidentNumber } from '../../cli/flags/incident-number.ts'

const operation = remote('sev.incident.escalate', async () => (await import('../../core/sev/operations.ts')).incidentEscalate)

export default class SevEscalate extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Ask the next step now, or somebody by name.'
  static override args = { incident: Args.string({ description: 'number of the incident; left out: your only open one' }) }
  static override flags = {
    to: Flags.string({ description: 'person, schedule, team or role' }),
    step: Flags.integer({ description: 'number of the step, from 1', min: 1 }),
  }
  static override examples = ['<%= config.bin %> sev escalate', '<%= config.bin %> sev escalate 1042 --to mei']

  input({ args, flags }: Parsed<typeof SevEscalate>): InputOf<typeof operation> {
    return defined({ incident: args.incident === undefined ? undefined : incidentNumber(args.incident), to: flags.to, step: flags.step })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderActed(data, view)
  }
}
