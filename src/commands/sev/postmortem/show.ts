import { Args, defined, QueryCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { renderPostmortem } from '../../../cli/render/sev.ts'
import { incidentNumber } from '../../../cli/flags/incident-number.ts'

const operation = remote('sev.postmortem.show', async () => (await import('../../../core/sev/operations.ts')).postmortemShow)

export default class SevPostmortemShow extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Print the postmortem of an incident, in Markdown.'
  static override args = { incident: Args.string({ description: 'number of the incident; left out: the open one, or the last' }) }
  static override examples = ['<%= config.bin %> sev postmortem show 1042']

  input({ args }: Parsed<typeof SevPostmortemShow>): InputOf<typeof operation> {
    return defined({ incident: args.incident === undefined ? undefined : incidentNumber(args.incident) })
  }

  render(data: OutputOf<typeof operation>): string {
    return renderPostmortem(data)
  }
}
