import { QueryCommand, remote, type InputOf, type OutputOf, type View } from '../../../cli/command.ts'
import { renderServices } from '../../../cli/render/mesh.ts'

const operation = remote('tw.mesh.list', async () => (await import('../../../core/tw/operations.ts')).meshList)

export default class TwMeshList extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List the services of the mesh.'
  static override examples = ['<%= config.bin %> tw mesh ls']

  input(): InputOf<typeof operation> {
    return {}
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderServices(view, data)
  }
}
