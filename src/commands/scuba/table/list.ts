import { QueryCommand, remote, type InputOf, type OutputOf, type View } from '../../../cli/command.ts'
import { renderTables } from '../../../cli/render/scuba.ts'
import type { TableInfo } from '../../../core/scuba/wire-types.ts'

const operation = remote('scuba.table.list', async () => (await import('../../../core/scuba/operations.ts')).scubaTableList)

export default class ScubaTableList extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List the tables of the store.'
  static override examples = ['<%= config.bin %> scuba table list', '<%= config.bin %> scuba table list -o wide']

  input(): InputOf<typeof operation> {
    return {}
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderTables(data as { tables: TableInfo[] }, view)
  }
}
