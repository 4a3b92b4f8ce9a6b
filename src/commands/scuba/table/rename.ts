import { Args, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('scuba.table.rename', async () => (await import('../../../core/scuba/operations/tables.ts')).scubaTableRename)

export default class ScubaTableRename extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Give a table another name; rows sent under the old one begin a new table.'
  static override args = {
    table: Args.string({ description: 'the table', required: true }),
    to: Args.string({ description: 'its new name', required: true }),
  }
  static override examples = ['<%= config.bin %> scuba table rename orders orders_2026 --yes']

  input({ args }: Parsed<typeof ScubaTableRename>): InputOf<typeof operation> {
    return { table: args.table, to: args.to }
  }

  render({ table, to }: OutputOf<typeof operation>): string {
    return `Table ${table} is called ${to} now.`
  }
}
