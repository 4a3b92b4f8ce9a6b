import { QueryCommand, remote, type InputOf, type OutputOf, type View } from '../../cli/command.ts'
import { renderDelosStatus } from '../../cli/render/delos.ts'

const operation = remote('delos.status', async () => (await import('../../core/delos/operations.ts')).status)

export default class DelosStatus extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show where the logs stand, where they are, and how durable they are.'
  static override examples = ['<%= config.bin %> delos status', '<%= config.bin %> delos status --json']

  input(): InputOf<typeof operation> {
    return {}
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderDelosStatus(data, view)
  }
}
