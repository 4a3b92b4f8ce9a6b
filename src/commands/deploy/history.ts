import { Args, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderHistory } from '../../cli/render/deploy.ts'

const operation = remote('deploy.history', async () => (await import('../../core/deploy/operations.ts')).deployHistory)

export default class DeployHistory extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List the releases and rollouts of a service, with outcome and who.'
  static override args = { service: Args.string({ description: 'the service', required: true }) }
  static override flags = { limit: Flags.integer({ description: 'at most so many of each', default: 20, min: 1, max: 1000 }) }
  static override examples = ['<%= config.bin %> deploy history web']

  input({ args, flags }: Parsed<typeof DeployHistory>): InputOf<typeof operation> {
    return { service: args.service ?? '', limit: flags.limit ?? 20 }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderHistory(data, view, Date.now())
  }
}
