import { Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { selectionFlags } from '../../../cli/flags/quarantine.ts'
import { missingExit } from '../../../cli/flags/rows.ts'
import { renderQuarantine } from '../../../cli/render/scuba-tables.ts'

const operation = remote(
  'scuba.quarantine.list',
  async () => (await import('../../../core/scuba/operations/quarantine.ts')).scubaQuarantineList,
)

export default class ScubaQuarantineList extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List why lines could not become rows, with their number and a first line.'
  static override flags = {
    table: Flags.string({ description: 'lines sent to this table', helpValue: 'TABLE' }),
    reason: Flags.string({ description: 'whose reason begins so', helpValue: 'TEXT' }),
    since: Flags.string({ description: 'from then on: 15m, or a time', helpValue: 'TIME' }),
  }
  static override examples = [
    '<%= config.bin %> scuba quarantine list',
    '<%= config.bin %> scuba quarantine list --table orders --since 1h',
  ]

  input({ flags }: Parsed<typeof ScubaQuarantineList>): InputOf<typeof operation> {
    return selectionFlags(flags)
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderQuarantine(data, view)
  }

  override exitCode(data: OutputOf<typeof operation>): number {
    return missingExit(data)
  }
}
