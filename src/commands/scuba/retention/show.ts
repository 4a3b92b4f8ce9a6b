import { Args, defined, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { missingExit } from '../../../cli/flags/rows.ts'
import { renderRetention } from '../../../cli/render/scuba-keeping.ts'

const operation = remote(
  'scuba.retention.show',
  async () => (await import('../../../core/scuba/operations/retention.ts')).scubaRetentionShow,
)

export default class ScubaRetentionShow extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show how long tables are kept, what goes now and what goes next.'
  static override args = { table: Args.string({ description: 'only this table' }) }
  static override examples = ['<%= config.bin %> scuba retention show', '<%= config.bin %> scuba retention show requests']

  input({ args }: Parsed<typeof ScubaRetentionShow>): InputOf<typeof operation> {
    return defined({ table: args.table })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderRetention(data, view)
  }

  override exitCode(data: OutputOf<typeof operation>): number {
    return missingExit(data)
  }
}
