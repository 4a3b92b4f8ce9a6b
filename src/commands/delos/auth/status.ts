import { STORE_FLAGS, StoreCommand } from '../../../cli/delos/store-command.ts'
import { storeOptions } from '../../../cli/flags/store.ts'
import { renderAuthStatus } from '../../../cli/render/delos-auth.ts'

export default class AuthStatus extends StoreCommand {
  static override summary = 'Say whether users and passwords are on.'
  static override flags = STORE_FLAGS
  static override examples = ['<%= config.bin %> delos auth status']

  async run(): Promise<void> {
    const { flags } = await this.start(AuthStatus)
    const { authStatus } = await import('../../../cli/delos/auth-status.ts')
    const data = await authStatus(storeOptions(flags))
    await this.answer(this.dottedId, data, ({ isEnabled, authRevision }) => renderAuthStatus(isEnabled, authRevision))
  }
}
