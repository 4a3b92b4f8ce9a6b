import { Flags, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { selectionFlags } from '../../../cli/flags/quarantine.ts'

const operation = remote(
  'scuba.quarantine.drop',
  async () => (await import('../../../core/scuba/operations/quarantine.ts')).scubaQuarantineDrop,
)

export default class ScubaQuarantineDrop extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Set lines of the quarantine aside: they are not listed or replayed any more.'
  static override description =
    'Their text goes with the retention of muster_quarantine; what must not stay is erased with `muster scuba erase muster_quarantine`.'
  static override flags = {
    table: Flags.string({ description: 'lines sent to this table', helpValue: 'TABLE' }),
    reason: Flags.string({ description: 'whose reason begins so', helpValue: 'TEXT' }),
    since: Flags.string({ description: 'from then on: 15m, or a time', helpValue: 'TIME' }),
  }
  static override examples = ['<%= config.bin %> scuba quarantine drop --table orders --yes']

  input({ flags }: Parsed<typeof ScubaQuarantineDrop>): InputOf<typeof operation> {
    return selectionFlags(flags)
  }

  render({ dropped, hasMore }: OutputOf<typeof operation>): string {
    return `${dropped} lines are set aside${hasMore ? '; there are more: run it again' : ''}.`
  }
}
