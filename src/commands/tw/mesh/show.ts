import { Args, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderService } from '../../../cli/render/mesh.ts'

const operation = remote('tw.mesh.show', async () => (await import('../../../core/tw/operations.ts')).meshShow)

export default class TwMeshShow extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show a service: its endpoints, why other tasks are not used, its split and faults.'
  static override args = { service: Args.string({ description: 'the service', required: true }) }
  static override examples = ['<%= config.bin %> tw mesh show web']

  input({ args }: Parsed<typeof TwMeshShow>): InputOf<typeof operation> {
    return { service: args.service ?? '' }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderService(view, data)
  }
}
