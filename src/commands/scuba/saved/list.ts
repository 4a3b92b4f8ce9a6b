import { QueryCommand, remote, type InputOf, type OutputOf, type View } from '../../../cli/command.ts'
import { renderSavedList } from '../../../cli/render/scuba-saved.ts'

const operation = remote('scuba.saved.list', async () => (await import('../../../core/scuba/saved/operations.ts')).scubaSavedList)

export default class ScubaSavedList extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List saved queries.'
  static override examples = ['<%= config.bin %> scuba saved list']

  input(): InputOf<typeof operation> {
    return {}
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderSavedList(data, view)
  }
}
