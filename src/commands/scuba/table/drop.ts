import { Args, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('scuba.table.drop', async () => (await import('../../../core/scuba/operations/tables.ts')).scubaTableDrop)

export default class ScubaTableDrop extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Drop a table with all of its rows.'
  static override args = { table: Args.string({ description: 'the table', required: true }) }
  static override examples = [
    '<%= config.bin %> scuba table drop orders_2026 --plan',
    '<%= config.bin %> scuba table drop orders_2026 --confirm orders_2026',
  ]

  input({ args }: Parsed<typeof ScubaTableDrop>): InputOf<typeof operation> {
    return { table: args.table }
  }

  render({ table }: OutputOf<typeof operation>): string {
    return `Table ${table} is dropped.`
  }
}
