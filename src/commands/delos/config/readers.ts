import { Args, defined, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderConfigReaders } from '../../../cli/render/delos-config-readers.ts'

const operation = remote('delos.config.readers', async () => (await import('../../../core/delos/operations.ts')).configReaders)

export default class ConfigReaders extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show who reads a configuration, in which version, and what is seen of one on trial.'
  static override description =
    'Readers are those who say who they are; without a name, they are counted for all configurations. The server that leads knows who read ' +
    'since it took the lead, and forgets who did not for a day. "has" is the version a reader was given last.'
  static override args = { config: Args.string({ description: 'its name; without it, all' }) }
  static override examples = ['<%= config.bin %> delos config readers', '<%= config.bin %> delos config readers web/limits']

  input({ args }: Parsed<typeof ConfigReaders>): InputOf<typeof operation> {
    return defined({ name: args.config })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderConfigReaders(data, Date.now(), view)
  }
}
