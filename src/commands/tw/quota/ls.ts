import { remote, WatchQueryCommand, type InputOf, type OutputOf, type View } from '../../../cli/command.ts'
import { renderEntitlements } from '../../../cli/render/tw-entitlements.ts'

const operation = remote('tw.entitlement.list', async () => (await import('../../../core/tw/operations.ts')).entitlementList)

export default class TwQuotaLs extends WatchQueryCommand<typeof operation> {
  static override operation = operation
  static override watches = ['tw.']
  static override summary = 'List owners that have a quota, and what they use of it.'
  static override examples = ['<%= config.bin %> tw quota ls']

  input(): InputOf<typeof operation> {
    return { hasQuota: true }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return data.length === 0 ? 'Nobody has a quota.' : renderEntitlements(view, data)
  }
}
