import { Flags, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { selectionFlags } from '../../../cli/flags/quarantine.ts'
import { renderReplay } from '../../../cli/render/scuba-tables.ts'

const operation = remote(
  'scuba.quarantine.replay',
  async () => (await import('../../../core/scuba/operations/quarantine.ts')).scubaQuarantineReplay,
)

export default class ScubaQuarantineReplay extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Take lines of the quarantine in once more, after what was wrong was mended; each becomes a row at most once.'
  static override flags = {
    table: Flags.string({ description: 'lines sent to this table', helpValue: 'TABLE' }),
    reason: Flags.string({ description: 'whose reason begins so', helpValue: 'TEXT' }),
    since: Flags.string({ description: 'from then on: 15m, or a time', helpValue: 'TIME' }),
  }
  static override examples = [
    '<%= config.bin %> scuba quarantine replay --table orders --plan',
    '<%= config.bin %> scuba quarantine replay --table orders',
  ]

  input({ flags }: Parsed<typeof ScubaQuarantineReplay>): InputOf<typeof operation> {
    return selectionFlags(flags)
  }

  render(data: OutputOf<typeof operation>): string {
    return renderReplay(data)
  }
}
