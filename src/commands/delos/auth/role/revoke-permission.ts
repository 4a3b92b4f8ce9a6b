import { Args } from '../../../../cli/command.ts'
import { SPAN_FLAGS, STORE_CHANGE_FLAGS, StoreCommand } from '../../../../cli/delos/store-command.ts'

export default class AuthRoleRevokePermission extends StoreCommand {
  static override summary = 'Take back what a role may do with a key, or keys.'
  static override description = 'The key, end and flags are those that it was granted with.'
  static override args = {
    role: Args.string({ required: true, description: 'the role' }),
    key: Args.string({ required: true, description: 'the key' }),
    end: Args.string({ description: 'up to this key, which is not among them' }),
  }
  static override flags = { ...SPAN_FLAGS, ...STORE_CHANGE_FLAGS }
  static override examples = ['<%= config.bin %> delos auth role revoke-permission reader /app/ --prefix']

  async run(): Promise<void> {
    const { args, flags } = await this.start(AuthRoleRevokePermission)
    const { spanOf, spanText } = await import('../../../../cli/delos/permission.ts')
    const span = spanOf(args.key, args.end, flags)
    const keys = spanText(span)
    if (!(await this.isAgreed({ text: `The role ${args.role} may no longer use ${keys}.`, danger: 'low' }, flags))) return
    const { header } = await this.withStore(flags, ({ call, methods }) =>
      call(methods['Auth/RoleRevokePermission'], { role: args.role, ...span }, { effect: 'once' }),
    )
    await this.answer(
      this.dottedId,
      { role: args.role, keys, revision: header.revision },
      () => `the role ${args.role} may no longer use ${keys}`,
    )
  }
}
