import { Args } from '../../../../cli/command.ts'
import { SPAN_FLAGS, STORE_CHANGE_FLAGS, StoreCommand } from '../../../../cli/delos/store-command.ts'

export default class AuthRoleGrantPermission extends StoreCommand {
  static override summary = 'Let a role read or write a key, or keys.'
  static override args = {
    role: Args.string({ required: true, description: 'the role' }),
    kind: Args.string({ required: true, description: 'what it allows', options: ['read', 'write', 'readwrite'] }),
    key: Args.string({ required: true, description: 'the key' }),
    end: Args.string({ description: 'up to this key, which is not among them' }),
  }
  static override flags = { ...SPAN_FLAGS, ...STORE_CHANGE_FLAGS }
  static override examples = ['<%= config.bin %> delos auth role grant-permission reader read /app/ --prefix']

  async run(): Promise<void> {
    const { args, flags } = await this.start(AuthRoleGrantPermission)
    const { permissionOf, spanOf, spanText } = await import('../../../../cli/delos/permission.ts')
    const span = spanOf(args.key, args.end, flags)
    const keys = spanText(span)
    if (!(await this.isAgreed({ text: `The role ${args.role} may ${args.kind} ${keys}.`, danger: 'low' }, flags))) return
    const { header } = await this.withStore(flags, ({ call, methods }) =>
      call(methods['Auth/RoleGrantPermission'], { name: args.role, perm: permissionOf(args.kind, span) }, { effect: 'once' }),
    )
    await this.answer(
      this.dottedId,
      { role: args.role, kind: args.kind, keys, revision: header.revision },
      () => `the role ${args.role} may ${args.kind} ${keys}`,
    )
  }
}
