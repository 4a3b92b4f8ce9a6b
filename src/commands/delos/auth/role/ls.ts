import { STORE_FLAGS, StoreCommand } from '../../../../cli/delos/store-command.ts'
import { renderRoles } from '../../../../cli/render/delos-auth.ts'

export default class AuthRoleLs extends StoreCommand {
  static override summary = 'List roles.'
  static override flags = STORE_FLAGS
  static override examples = ['<%= config.bin %> delos auth role ls']

  async run(): Promise<void> {
    const { flags } = await this.start(AuthRoleLs)
    const data = await this.withStore(flags, async ({ call, methods }) => {
      const { roles } = await call(methods['Auth/RoleList'], {}, { effect: 'read' })
      return { roles }
    })
    await this.answer(this.dottedId, data, ({ roles }) => renderRoles(roles))
  }
}
