import { STORE_FLAGS, StoreCommand } from '../../../../cli/delos/store-command.ts'
import { renderUsers } from '../../../../cli/render/delos-auth.ts'

export default class AuthUserLs extends StoreCommand {
  static override summary = 'List users and their roles.'
  static override flags = STORE_FLAGS
  static override examples = ['<%= config.bin %> delos auth user ls', '<%= config.bin %> delos auth user ls --json']

  async run(): Promise<void> {
    const { flags } = await this.start(AuthUserLs)
    const data = await this.withStore(flags, async ({ call, methods }) => {
      const effect = { effect: 'read' } as const
      const { users } = await call(methods['Auth/UserList'], {}, effect)
      const roles = await Promise.all(users.map(async (name) => (await call(methods['Auth/UserGet'], { name }, effect)).roles))
      return { users: users.map((name, i) => ({ name, roles: roles[i] ?? [] })) }
    })
    await this.answer(this.dottedId, data, ({ users }, view) => renderUsers(users, view))
  }
}
