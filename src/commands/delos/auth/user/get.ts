import { Args } from '../../../../cli/command.ts'
import { STORE_FLAGS, StoreCommand } from '../../../../cli/delos/store-command.ts'
import { renderUsers } from '../../../../cli/render/delos-auth.ts'

export default class AuthUserGet extends StoreCommand {
  static override summary = 'Show the roles of a user.'
  static override args = { name: Args.string({ required: true, description: 'the user' }) }
  static override flags = STORE_FLAGS
  static override examples = ['<%= config.bin %> delos auth user get anna']

  async run(): Promise<void> {
    const { args, flags } = await this.start(AuthUserGet)
    const data = await this.withStore(flags, async ({ call, methods }) => {
      const { roles } = await call(methods['Auth/UserGet'], { name: args.name }, { effect: 'read' })
      return { name: args.name, roles }
    })
    await this.answer(this.dottedId, data, (user, view) => renderUsers([user], view))
  }
}
