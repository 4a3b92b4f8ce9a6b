import { QueryCommand, remote, type InputOf, type OutputOf, type View } from '../../../cli/command.ts'
import { renderDefragSchedule } from '../../../cli/render/tw-moves.ts'

const operation = remote('tw.defrag.show', async () => (await import('../../../core/tw/operations.ts')).defragShow)

export default class TwDefragShow extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show when defragmentation is due, and how its last round went.'
  static override examples = ['<%= config.bin %> tw defrag show']

  input(): InputOf<typeof operation> {
    return {}
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderDefragSchedule(view, data)
  }
}
