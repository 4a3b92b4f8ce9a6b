import { Args } from '../../../../cli/command.ts'
import { STORE_CHANGE_FLAGS, StoreCommand } from '../../../../cli/delos/store-command.ts'

export default class AuthRoleRm extends StoreCommand {
  static override summary = 'Remove a role, from all who have it.'
  static override args = { role: Args.string({ required: true, description: 'the role' }) }
  static override flags = STORE_CHANGE_FLAGS
  static override examples = ['<%= config.bin %> delos auth role rm reader --yes']

  async run(): Promise<void> {
    const { args, flags } = await this.start(AuthRoleRm)
    if (!(await this.isAgreed({ text: `The role ${args.role} is removed, and taken from all users.`, danger: 'medium' }, flags))) return
    const { header } = await this.withStore(flags, ({ call, methods }) =>
      call(methods['Auth/RoleDelete'], { role: args.role }, { effect: 'once' }),
    )
    await this.answer(this.dottedId, { role: args.role, revision: header.revision }, () => `removed the role ${args.role}`)
  }
}
