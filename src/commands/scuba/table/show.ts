import { Args, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderTable } from '../../../cli/render/scuba.ts'
import type { TableInfo } from '../../../core/scuba/wire-types.ts'

const operation = remote('scuba.table.show', async () => (await import('../../../core/scuba/operations.ts')).scubaTableShow)

export default class ScubaTableShow extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show the columns, size and time range of a table.'
  static override args = { table: Args.string({ description: 'the table', required: true }) }
  static override examples = ['<%= config.bin %> scuba table show requests']

  input({ args }: Parsed<typeof ScubaTableShow>): InputOf<typeof operation> {
    return { table: args.table }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderTable(data as TableInfo, view)
  }
}
