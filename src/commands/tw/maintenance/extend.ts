import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { maintenanceNumber } from '../../../cli/flags/numbers.ts'
import { durationFlag } from '../../../cli/flags/time.ts'

const operation = remote('tw.maintenance.extend', async () => (await import('../../../core/tw/operations.ts')).maintenanceExtend)

export default class TwMaintenanceExtend extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Give planned work more time.'
  static override args = { maintenance: Args.string({ description: 'its number', required: true }) }
  static override flags = {
    by: Flags.string({ description: 'how much more', default: '30m' }),
    note: Flags.string({ description: 'why, for the log', default: '' }),
  }
  static override examples = ['<%= config.bin %> tw maintenance extend 1 --by 1h --note "a disk is missing"']

  input({ args, flags }: Parsed<typeof TwMaintenanceExtend>): InputOf<typeof operation> {
    return { maintenance: maintenanceNumber(args.maintenance), byMs: durationFlag('by', flags.by ?? '30m'), note: flags.note ?? '' }
  }

  render(data: OutputOf<typeof operation>): string {
    return `maintenance ${data.maintenance} has more time`
  }
}
