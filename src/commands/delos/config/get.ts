import { Args, defined, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderConfigBody } from '../../../cli/render/delos-config.ts'

const operation = remote('delos.config.get', async () => (await import('../../../core/delos/operations.ts')).configGet)

export default class ConfigGet extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Read a configuration, as a reader gets it or in one version.'
  static override description =
    'Prints the text alone; -o wide adds version, author and what is on trial. A task of this fleet is a reader by its name, $MUSTER_TASK; ' +
    'who is no reader gets the active version. A name that does not exist exits with 3.'
  static override args = { config: Args.string({ required: true, description: 'its name' }) }
  static override flags = {
    reader: Flags.string({
      description: 'who reads, e.g. a host: a share of them gets a version on trial [$MUSTER_TASK]',
      helpValue: 'ID',
      exclusive: ['version'],
    }),
    version: Flags.integer({ description: 'this version', helpValue: 'VERSION', min: 1 }),
  }
  static override examples = [
    '<%= config.bin %> delos config get web/limits',
    '<%= config.bin %> delos config get web/limits --reader "$HOSTNAME"',
    '<%= config.bin %> delos config get web/limits --version 3 -o wide',
  ]

  input({ args, flags }: Parsed<typeof ConfigGet>): InputOf<typeof operation> {
    const reader = flags.reader ?? (process.env['MUSTER_TASK'] || undefined)
    return defined({ name: args.config, reader: flags.version === undefined ? reader : undefined, version: flags.version })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderConfigBody(data, view)
  }
}
