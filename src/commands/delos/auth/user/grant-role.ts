import { Args } from '../../../../cli/command.ts'
import { STORE_CHANGE_FLAGS, StoreCommand } from '../../../../cli/delos/store-command.ts'

export default class AuthUserGrantRole extends StoreCommand {
  static override summary = 'Give a user a role.'
  static override args = {
    name: Args.string({ required: true, description: 'the user' }),
    role: Args.string({ required: true, description: 'the role' }),
  }
  static override flags = STORE_CHANGE_FLAGS
  static override examples = ['<%= config.bin %> delos auth user grant-role anna reader']

  async run(): Promise<void> {
    const { args, flags } = await this.start(AuthUserGrantRole)
    if (!(await this.isAgreed({ text: `${args.name} may do what the role ${args.role} allows.`, danger: 'low' }, flags))) return
    const { header } = await this.withStore(flags, ({ call, methods }) =>
      call(methods['Auth/UserGrantRole'], { user: args.name, role: args.role }, { effect: 'once' }),
    )
    await this.answer(
      this.dottedId,
      { user: args.name, role: args.role, revision: header.revision },
      () => `${args.name} has the role ${args.role}`,
    )
  }
}
