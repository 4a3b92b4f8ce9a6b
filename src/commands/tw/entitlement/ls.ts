import { remote, WatchQueryCommand, type InputOf, type OutputOf, type View } from '../../../cli/command.ts'
import { renderEntitlements } from '../../../cli/render/tw-entitlements.ts'

const operation = remote('tw.entitlement.list', async () => (await import('../../../core/tw/operations.ts')).entitlementList)

export default class TwEntitlementLs extends WatchQueryCommand<typeof operation> {
  static override operation = operation
  static override watches = ['tw.']
  static override summary = 'List what owners are guaranteed, what they use, and whether their buffer is covered.'
  static override examples = ['<%= config.bin %> tw entitlement ls', '<%= config.bin %> tw entitlement ls -o wide']

  input(): InputOf<typeof operation> {
    return {}
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderEntitlements(view, data)
  }
}
