import { Args, WatchQueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { maintenanceNumber } from '../../../cli/flags/numbers.ts'
import { renderMaintenance } from '../../../cli/render/tw-maintenance.ts'

const operation = remote('tw.maintenance.show', async () => (await import('../../../core/tw/operations.ts')).maintenanceShow)

export default class TwMaintenanceShow extends WatchQueryCommand<typeof operation> {
  static override operation = operation
  static override watches = ['tw.']
  static override summary = 'Show planned work: its nodes, what they wait for, and what its command said.'
  static override args = { maintenance: Args.string({ description: 'its number', required: true }) }
  static override examples = ['<%= config.bin %> tw maintenance show 1']

  input({ args }: Parsed<typeof TwMaintenanceShow>): InputOf<typeof operation> {
    return { maintenance: maintenanceNumber(args.maintenance) }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderMaintenance(view, data)
  }
}
