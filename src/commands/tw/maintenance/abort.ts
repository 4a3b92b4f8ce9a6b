import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { maintenanceNumber } from '../../../cli/flags/numbers.ts'

const operation = remote('tw.maintenance.abort', async () => (await import('../../../core/tw/operations.ts')).maintenanceAbort)

export default class TwMaintenanceAbort extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Give planned work up: drains are called off, and what somebody works on stays out of service.'
  static override args = { maintenance: Args.string({ description: 'its number', required: true }) }
  static override flags = { note: Flags.string({ description: 'why, for the log', default: '' }) }
  static override examples = ['<%= config.bin %> tw maintenance abort 1 --yes']

  input({ args, flags }: Parsed<typeof TwMaintenanceAbort>): InputOf<typeof operation> {
    return { maintenance: maintenanceNumber(args.maintenance), note: flags.note ?? '' }
  }

  render(data: OutputOf<typeof operation>): string {
    const kept = data.kept.length === 0 ? '' : `; ${data.kept.join(', ')} stay out of service`
    return `maintenance ${data.maintenance} is aborted${kept}`
  }
}
