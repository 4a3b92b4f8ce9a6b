import { Args, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderEntitlement } from '../../../cli/render/tw-entitlements.ts'

const operation = remote('tw.entitlement.show', async () => (await import('../../../core/tw/operations.ts')).entitlementShow)

export default class TwEntitlementShow extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show what an owner is guaranteed, what it uses, and whether its buffer is still covered.'
  static override args = { entitlement: Args.string({ description: 'its name', required: true }) }
  static override examples = ['<%= config.bin %> tw entitlement show shop']

  input({ args }: Parsed<typeof TwEntitlementShow>): InputOf<typeof operation> {
    return { name: args.entitlement ?? '' }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderEntitlement(view, data)
  }
}
