import { defined, Flags, WatchQueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderMaintenances } from '../../../cli/render/tw-maintenance.ts'

const operation = remote('tw.maintenance.list', async () => (await import('../../../core/tw/operations.ts')).maintenanceList)

export default class TwMaintenanceLs extends WatchQueryCommand<typeof operation> {
  static override operation = operation
  static override watches = ['tw.']
  static override summary = 'List planned work on nodes, and what it waits for.'
  static override flags = { all: Flags.boolean({ char: 'a', description: 'also what is finished or aborted' }) }
  static override examples = ['<%= config.bin %> tw maintenance ls', '<%= config.bin %> tw maintenance ls --all']

  input({ flags }: Parsed<typeof TwMaintenanceLs>): InputOf<typeof operation> {
    return defined({ isAll: flags.all })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderMaintenances(view, data)
  }
}
