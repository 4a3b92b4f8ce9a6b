import { Args } from '../../../../cli/command.ts'
import { STORE_CHANGE_FLAGS, StoreCommand } from '../../../../cli/delos/store-command.ts'

export default class AuthRoleAdd extends StoreCommand {
  static override summary = 'Make a role; it allows nothing yet.'
  static override args = { role: Args.string({ required: true, description: 'the role' }) }
  static override flags = STORE_CHANGE_FLAGS
  static override examples = ['<%= config.bin %> delos auth role add reader']

  async run(): Promise<void> {
    const { args, flags } = await this.start(AuthRoleAdd)
    if (!(await this.isAgreed({ text: `There is a role ${args.role}, which allows nothing yet.`, danger: 'low' }, flags))) return
    const { header } = await this.withStore(flags, ({ call, methods }) =>
      call(methods['Auth/RoleAdd'], { name: args.role }, { effect: 'once' }),
    )
    await this.answer(this.dottedId, { role: args.role, revision: header.revision }, () => `added the role ${args.role}`)
  }
}
