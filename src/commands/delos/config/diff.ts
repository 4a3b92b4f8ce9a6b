import { Args, defined, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderConfigDiff } from '../../../cli/render/delos-config.ts'

const operation = remote('delos.config.diff', async () => (await import('../../../core/delos/operations.ts')).configDiff)

export default class ConfigDiff extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show what differs between two versions of a configuration.'
  static override description =
    'Without versions: what the version on trial would change, or else what the active one changed. With FROM alone: from there to that version.'
  static override args = {
    config: Args.string({ required: true, description: 'its name' }),
    from: Args.integer({ description: 'a version', min: 1 }),
    to: Args.integer({ description: 'a version', min: 1 }),
  }
  static override examples = ['<%= config.bin %> delos config diff web/limits', '<%= config.bin %> delos config diff web/limits 3 5']

  input({ args }: Parsed<typeof ConfigDiff>): InputOf<typeof operation> {
    return defined({ name: args.config, from: args.from, to: args.to })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderConfigDiff(data, view)
  }
}
