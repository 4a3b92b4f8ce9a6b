import { QueryCommand, remote, type InputOf, type OutputOf, type View } from '../../../cli/command.ts'
import { renderUpgrade } from '../../../cli/render/tw-upgrade.ts'

const operation = remote('tw.upgrade.show', async () => (await import('../../../core/tw/operations.ts')).agentUpgradeShow)

export default class TwUpgradeShow extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show how the newest upgrade of the agents goes, wave by wave.'
  static override examples = ['<%= config.bin %> tw upgrade show']

  input(): InputOf<typeof operation> {
    return {}
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderUpgrade(view, data)
  }
}
