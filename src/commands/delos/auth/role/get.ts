import { Args } from '../../../../cli/command.ts'
import { STORE_FLAGS, StoreCommand } from '../../../../cli/delos/store-command.ts'
import { renderPermissions } from '../../../../cli/render/delos-auth.ts'

export default class AuthRoleGet extends StoreCommand {
  static override summary = 'Show what a role allows.'
  static override args = { role: Args.string({ required: true, description: 'the role' }) }
  static override flags = STORE_FLAGS
  static override examples = ['<%= config.bin %> delos auth role get reader']

  async run(): Promise<void> {
    const { args, flags } = await this.start(AuthRoleGet)
    const { permissionView } = await import('../../../../cli/delos/permission.ts')
    const data = await this.withStore(flags, async ({ call, methods }) => {
      const { perm } = await call(methods['Auth/RoleGet'], { role: args.role }, { effect: 'read' })
      return { role: args.role, permissions: perm.map(permissionView) }
    })
    await this.answer(this.dottedId, data, ({ permissions }, view) => renderPermissions(permissions, view))
  }
}
