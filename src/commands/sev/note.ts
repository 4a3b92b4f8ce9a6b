import { Args, ChangeCommand, defined, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderActed } from '../../cli/render/sev.ts'
import { incidentNumber } from '../../cli/flags/incident-number.ts'

const operation = remote('sev.note.add', async () => (await import('../../core/sev/operations.ts')).noteAdd)

export default class SevNote extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Write a line into the timeline of an incident.'
  static override args = {
    first: Args.string({ name: 'N', description: 'number of the incident; left out: your only open one', required: true }),
    second: Args.string({ name: 'TEXT', description: 'what to write' }),
  }
  static override flags = { decision: Flags.boolean({ description: 'it is a decision' }) }
  static override examples = ["<%= config.bin %> sev note 1042 'cache is cold'", "<%= config.bin %> sev note 'we drain eu' --decision"]

  input({ args, flags }: Parsed<typeof SevNote>): InputOf<typeof operation> {
    const [incident, text] = args.second === undefined ? [undefined, args.first] : [incidentNumber(args.first), args.second]
    return defined({ incident, text, isDecision: flags.decision })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderActed(data, view)
  }
}
