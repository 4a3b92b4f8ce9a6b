import { Args, defined, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderWhy } from '../../cli/render/sev.ts'
import { incidentNumber } from '../../cli/flags/incident-number.ts'

const operation = remote('sev.why', async () => (await import('../../core/sev/operations.ts')).why)

export default class SevWhy extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Why each person was paged: service, level, step, schedule, contact.'
  static override args = { incident: Args.string({ description: 'number of the incident; left out: the open one, or the last' }) }
  static override examples = ['<%= config.bin %> sev why 1042']

  input({ args }: Parsed<typeof SevWhy>): InputOf<typeof operation> {
    return defined({ incident: args.incident === undefined ? undefined : incidentNumber(args.incident) })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderWhy(data, view)
  }
}
