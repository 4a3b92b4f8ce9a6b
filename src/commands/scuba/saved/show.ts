import { Args, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderSaved } from '../../../cli/render/scuba-saved.ts'

const operation = remote('scuba.saved.show', async () => (await import('../../../core/scuba/saved/operations.ts')).scubaSavedShow)

export default class ScubaSavedShow extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show one saved query, and the command that asks it.'
  static override args = { name: Args.string({ description: 'the saved query', required: true }) }
  static override examples = ['<%= config.bin %> scuba saved show requests']

  input({ args }: Parsed<typeof ScubaSavedShow>): InputOf<typeof operation> {
    return { name: args.name }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderSaved(data, view)
  }
}
