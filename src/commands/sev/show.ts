import { Args, defined, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderIncident } from '../../cli/render/sev.ts'
import { incidentNumber } from '../../cli/flags/incident-number.ts'

const operation = remote('sev.incident.show', async () => (await import('../../core/sev/operations.ts')).incidentShow)

export default class SevShow extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show one incident: state, alerts, pages, what changed before it, which rows are held for it.'
  static override args = { incident: Args.string({ description: 'number of the incident; left out: the open one, or the last' }) }
  static override examples = ['<%= config.bin %> sev show', '<%= config.bin %> sev show 1042']

  input({ args }: Parsed<typeof SevShow>): InputOf<typeof operation> {
    return defined({ incident: args.incident === undefined ? undefined : incidentNumber(args.incident) })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderIncident(data, view)
  }
}
