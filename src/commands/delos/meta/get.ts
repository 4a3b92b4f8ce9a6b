import { Args, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderMetaRecord } from '../../../cli/render/delos-meta.ts'

const operation = remote('delos.meta.get', async () => (await import('../../../core/delos/operations.ts')).metaGet)

export default class MetaGet extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Read a metadata record.'
  static override description =
    'Prints the body alone, as JSON; -o wide adds version and labels. A record that does not exist exits with 3.'
  static override args = { name: Args.string({ required: true, description: 'its name' }) }
  static override flags = { kind: Flags.string({ required: true, description: 'what it is' }) }
  static override examples = [
    '<%= config.bin %> delos meta get orders --kind database',
    '<%= config.bin %> delos meta get orders --kind database -o wide',
  ]

  input({ args, flags }: Parsed<typeof MetaGet>): InputOf<typeof operation> {
    return { kind: flags.kind, name: args.name }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderMetaRecord(data, view)
  }
}
