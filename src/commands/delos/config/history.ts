import { Args, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderConfigHistory } from '../../../cli/render/delos-config.ts'

const operation = remote('delos.config.history', async () => (await import('../../../core/delos/operations.ts')).configHistory)

export default class ConfigHistory extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List the versions of a configuration, the newest first.'
  static override args = { config: Args.string({ required: true, description: 'its name' }) }
  static override flags = { limit: Flags.integer({ char: 'n', description: 'at most so many', default: 20, min: 1, max: 1000 }) }
  static override examples = [
    '<%= config.bin %> delos config history web/limits',
    '<%= config.bin %> delos config history web/limits -n 5 -o wide',
  ]

  input({ args, flags }: Parsed<typeof ConfigHistory>): InputOf<typeof operation> {
    return { name: args.config, limit: flags.limit }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderConfigHistory(data.versions, view)
  }
}
