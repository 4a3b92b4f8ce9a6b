import { STORE_CHANGE_FLAGS, StoreCommand } from '../../../cli/delos/store-command.ts'

export default class AuthDisable extends StoreCommand {
  static override summary = 'Turn users and passwords off: everybody may do everything.'
  static override flags = STORE_CHANGE_FLAGS
  static override examples = ['<%= config.bin %> delos auth disable --user root:SECRET --yes']

  async run(): Promise<void> {
    const { flags } = await this.start(AuthDisable)
    if (!(await this.isAgreed({ text: 'Everybody who reaches the store may read and change all of it.', danger: 'medium' }, flags))) return
    const { header } = await this.withStore(flags, ({ call, methods }) => call(methods['Auth/AuthDisable'], {}, { effect: 'once' }))
    await this.answer(this.dottedId, { isEnabled: false, revision: header.revision }, () => 'auth is off')
  }
}
