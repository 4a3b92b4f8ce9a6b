import { QueryCommand, remote, type InputOf, type OutputOf, type View } from '../../../cli/command.ts'
import { renderHolds } from '../../../cli/render/scuba-keeping.ts'

const operation = remote('scuba.hold.list', async () => (await import('../../../core/scuba/operations/retention.ts')).scubaHoldList)

export default class ScubaHoldList extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List the holds on rows.'
  static override examples = ['<%= config.bin %> scuba hold list']

  input(): InputOf<typeof operation> {
    return {}
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderHolds(data, view)
  }
}
