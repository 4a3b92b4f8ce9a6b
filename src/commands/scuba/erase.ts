import { Args, Flags, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../cli/command.ts'

const operation = remote('scuba.row.erase', async () => (await import('../../core/scuba/operations/retention.ts')).scubaErase)

export default class ScubaErase extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary =
    'Erase the rows of a table that a condition holds for; the log keeps a digest of the condition and their number.'
  static override description =
    'Segments that hold such rows are written anew without them. After rows of requests were erased, the live aggregate begins anew: rollouts that are judged at that moment wait for it.'
  static override args = { table: Args.string({ description: 'the table', required: true }) }
  static override flags = {
    where: Flags.string({ description: 'SQL condition over the columns', required: true, helpValue: 'SQL' }),
  }
  static override examples = [
    '<%= config.bin %> scuba erase requests --where "user = \'u123\'" --plan',
    '<%= config.bin %> scuba erase requests --where "user = \'u123\'" --confirm requests',
  ]

  input({ args, flags }: Parsed<typeof ScubaErase>): InputOf<typeof operation> {
    return { table: args.table, where: flags.where }
  }

  render({ table, rows, segments }: OutputOf<typeof operation>): string {
    return `${rows} rows of ${table} are erased, from ${segments} segments.`
  }
}
