import { Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { selectionFlags } from '../../../cli/flags/quarantine.ts'
import { missingExit } from '../../../cli/flags/rows.ts'
import { renderQuarantineLines } from '../../../cli/render/scuba-tables.ts'

const operation = remote(
  'scuba.quarantine.show',
  async () => (await import('../../../core/scuba/operations/quarantine.ts')).scubaQuarantineShow,
)

export default class ScubaQuarantineShow extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show lines of the quarantine as they were sent, newest first.'
  static override flags = {
    table: Flags.string({ description: 'lines sent to this table', helpValue: 'TABLE' }),
    reason: Flags.string({ description: 'whose reason begins so', helpValue: 'TEXT' }),
    since: Flags.string({ description: 'from then on: 15m, or a time', helpValue: 'TIME' }),
    limit: Flags.integer({ description: 'so many', default: 20, min: 1, max: 1000 }),
  }
  static override examples = ['<%= config.bin %> scuba quarantine show --table orders --limit 5']

  input({ flags }: Parsed<typeof ScubaQuarantineShow>): InputOf<typeof operation> {
    return { ...selectionFlags(flags), limit: flags.limit }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderQuarantineLines(data, view)
  }

  override exitCode(data: OutputOf<typeof operation>): number {
    return missingExit(data)
  }
}
