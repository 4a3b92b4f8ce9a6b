import { Args, defined, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderDerived } from '../../../cli/render/scuba-tables.ts'

const operation = remote('scuba.derived.list', async () => (await import('../../../core/scuba/operations/derived.ts')).scubaDerivedList)

export default class ScubaDeriveList extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List derived columns with their expressions.'
  static override args = { table: Args.string({ description: 'only this table' }) }
  static override examples = ['<%= config.bin %> scuba derive list']

  input({ args }: Parsed<typeof ScubaDeriveList>): InputOf<typeof operation> {
    return defined({ table: args.table })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderDerived(data, view)
  }
}
