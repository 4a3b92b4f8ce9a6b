import { Args } from '../../../../cli/command.ts'
import { STORE_CHANGE_FLAGS, StoreCommand } from '../../../../cli/delos/store-command.ts'

export default class AuthUserRm extends StoreCommand {
  static override summary = 'Remove a user.'
  static override args = { name: Args.string({ required: true, description: 'the user' }) }
  static override flags = STORE_CHANGE_FLAGS
  static override examples = ['<%= config.bin %> delos auth user rm anna --yes']

  async run(): Promise<void> {
    const { args, flags } = await this.start(AuthUserRm)
    if (!(await this.isAgreed({ text: `The user ${args.name} is removed, and its tokens are void.`, danger: 'medium' }, flags))) return
    const { header } = await this.withStore(flags, ({ call, methods }) =>
      call(methods['Auth/UserDelete'], { name: args.name }, { effect: 'once' }),
    )
    await this.answer(this.dottedId, { user: args.name, revision: header.revision }, () => `removed the user ${args.name}`)
  }
}
