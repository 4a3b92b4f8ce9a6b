import { Args } from '../../../../cli/command.ts'
import { STORE_CHANGE_FLAGS, StoreCommand } from '../../../../cli/delos/store-command.ts'

export default class AuthUserRevokeRole extends StoreCommand {
  static override summary = 'Take a role from a user.'
  static override args = {
    name: Args.string({ required: true, description: 'the user' }),
    role: Args.string({ required: true, description: 'the role' }),
  }
  static override flags = STORE_CHANGE_FLAGS
  static override examples = ['<%= config.bin %> delos auth user revoke-role anna reader']

  async run(): Promise<void> {
    const { args, flags } = await this.start(AuthUserRevokeRole)
    if (!(await this.isAgreed({ text: `${args.name} may no longer do what only the role ${args.role} allows.`, danger: 'low' }, flags)))
      return
    const { header } = await this.withStore(flags, ({ call, methods }) =>
      call(methods['Auth/UserRevokeRole'], { name: args.name, role: args.role }, { effect: 'once' }),
    )
    await this.answer(
      this.dottedId,
      { user: args.name, role: args.role, revision: header.revision },
      () => `${args.name} has the role ${args.role} no more`,
    )
  }
}
