import { Args, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { missingExit } from '../../cli/flags/rows.ts'
import { renderColumns } from '../../cli/render/scuba-tables.ts'

const operation = remote('scuba.column.list', async () => (await import('../../core/scuba/operations/tables.ts')).scubaColumnList)

export default class ScubaColumns extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List the columns of a table: type, origin, conflicts, distinct values and size.'
  static override args = { table: Args.string({ description: 'the table', required: true }) }
  static override examples = ['<%= config.bin %> scuba columns requests']

  input({ args }: Parsed<typeof ScubaColumns>): InputOf<typeof operation> {
    return { table: args.table }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderColumns(data, view)
  }

  override exitCode(data: OutputOf<typeof operation>): number {
    return missingExit(data)
  }
}
