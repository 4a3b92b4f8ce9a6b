import { Args, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderBoard } from '../../../cli/render/scuba-saved.ts'

const operation = remote('scuba.board.show', async () => (await import('../../../core/scuba/saved/operations.ts')).scubaBoardShow)

export default class ScubaBoardShow extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show the panels of a board.'
  static override args = { name: Args.string({ description: 'the board', required: true }) }
  static override examples = ['<%= config.bin %> scuba board show requests']

  input({ args }: Parsed<typeof ScubaBoardShow>): InputOf<typeof operation> {
    return { name: args.name }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderBoard(data, view)
  }
}
