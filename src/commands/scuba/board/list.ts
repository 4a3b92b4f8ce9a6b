import { QueryCommand, remote, type InputOf, type OutputOf, type View } from '../../../cli/command.ts'
import { renderBoardList } from '../../../cli/render/scuba-saved.ts'

const operation = remote('scuba.board.list', async () => (await import('../../../core/scuba/saved/operations.ts')).scubaBoardList)

export default class ScubaBoardList extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List boards.'
  static override examples = ['<%= config.bin %> scuba board list']

  input(): InputOf<typeof operation> {
    return {}
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderBoardList(data, view)
  }
}
