import { STORE_CHANGE_FLAGS, StoreCommand } from '../../../cli/delos/store-command.ts'

export default class AuthEnable extends StoreCommand {
  static override summary = 'Turn users and passwords on: from then on nobody gets in without.'
  static override description =
    'There must be a user root with the role root first: `delos auth user add root`, `delos auth user grant-role root root`.'
  static override flags = STORE_CHANGE_FLAGS
  static override examples = ['<%= config.bin %> delos auth enable --yes']

  async run(): Promise<void> {
    const { flags } = await this.start(AuthEnable)
    if (
      !(await this.isAgreed(
        { text: 'The store asks everybody for a user from then on; its user root administers it.', danger: 'medium' },
        flags,
      ))
    )
      return
    const { header } = await this.withStore(flags, ({ call, methods }) => call(methods['Auth/AuthEnable'], {}, { effect: 'once' }))
    await this.answer(this.dottedId, { isEnabled: true, revision: header.revision }, () => 'auth is on')
  }
}
