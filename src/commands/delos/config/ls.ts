import { Args, defined, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderConfigs } from '../../../cli/render/delos-config.ts'

const operation = remote('delos.config.ls', async () => (await import('../../../core/delos/operations.ts')).configList)

export default class ConfigLs extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List configurations: active version, size, who set it, what is on trial.'
  static override args = { prefix: Args.string({ description: 'only names that start so' }) }
  static override examples = ['<%= config.bin %> delos config ls', '<%= config.bin %> delos config ls web/ --json']

  input({ args }: Parsed<typeof ConfigLs>): InputOf<typeof operation> {
    return defined({ prefix: args.prefix })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderConfigs(data.configs, Date.now(), view)
  }
}
