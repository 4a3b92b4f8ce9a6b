import { defined, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderSlos } from '../../../cli/render/scuba-slos.ts'

const operation = remote('scuba.slo.status', async () => (await import('../../../core/scuba/operations/slo.ts')).scubaSloStatus)

export default class ScubaSloList extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List service objectives: figure, budget left, burn rates, state.'
  static override flags = { service: Flags.string({ description: 'only objectives of this service', helpValue: 'NAME' }) }
  static override examples = ['<%= config.bin %> scuba slo list', '<%= config.bin %> scuba slo list --service news-feed -o wide']

  input({ flags }: Parsed<typeof ScubaSloList>): InputOf<typeof operation> {
    return defined({ service: flags.service })
  }

  render({ objectives }: OutputOf<typeof operation>, view: View): string {
    return renderSlos(objectives, view)
  }
}
