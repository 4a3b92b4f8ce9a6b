import { Args, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('scuba.derived.rm', async () => (await import('../../../core/scuba/operations/derived.ts')).scubaDerivedRm)

export default class ScubaDeriveRm extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Remove a derived column; queries that name it fail from then on.'
  static override args = {
    table: Args.string({ description: 'the table', required: true }),
    name: Args.string({ description: 'the derived column', required: true }),
  }
  static override examples = ['<%= config.bin %> scuba derive rm requests area --yes']

  input({ args }: Parsed<typeof ScubaDeriveRm>): InputOf<typeof operation> {
    return { table: args.table, name: args.name }
  }

  render({ table, name }: OutputOf<typeof operation>): string {
    return `Derived column ${name} of ${table} is removed.`
  }
}
