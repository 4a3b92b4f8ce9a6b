import { QueryCommand, remote, type InputOf, type OutputOf, type View } from '../../../cli/command.ts'
import { renderAlerts } from '../../../cli/render/scuba-alerts.ts'

const operation = remote('scuba.alert.list', async () => (await import('../../../core/scuba/operations.ts')).scubaAlertList)

export default class ScubaAlertList extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List alert rules with their state.'
  static override examples = ['<%= config.bin %> scuba alert list']

  input(): InputOf<typeof operation> {
    return {}
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderAlerts(data, view)
  }
}
