import { QueryCommand, remote, type InputOf, type OutputOf, type View } from '../../cli/command.ts'
import { renderLeaves } from '../../cli/render/scuba-keeping.ts'

const operation = remote('scuba.leaf.list', async () => (await import('../../core/scuba/operations/segments.ts')).scubaLeafList)

export default class ScubaLeaves extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List the leaves: who is there, and what each holds.'
  static override examples = ['<%= config.bin %> scuba leaves']

  input(): InputOf<typeof operation> {
    return {}
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderLeaves(data, view)
  }
}
