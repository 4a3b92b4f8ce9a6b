import { Args } from '../../../../cli/command.ts'
import { newPassword } from '../../../../cli/delos/new-password.ts'
import { STORE_CHANGE_FLAGS, StoreCommand } from '../../../../cli/delos/store-command.ts'

export default class AuthUserPasswd extends StoreCommand {
  static override summary = 'Give a user another password.'
  static override description =
    'Without :PASSWORD it is asked for on a terminal, and read as a line from standard input elsewhere: there it stays out of the list of processes.'
  static override args = { name: Args.string({ required: true, description: 'the user, NAME or NAME:PASSWORD' }) }
  static override flags = STORE_CHANGE_FLAGS
  static override examples = ['<%= config.bin %> delos auth user passwd anna:SECRET']

  async run(): Promise<void> {
    const { args, flags } = await this.start(AuthUserPasswd)
    const [name = '', given] = args.name.split(/:(.*)/s, 2)
    if (!(await this.isAgreed({ text: `${name} needs the new password.`, danger: 'low' }, flags))) return
    const password = await newPassword(name, given, { stdin: process.stdin, stderr: process.stderr })
    const request = { name, password }
    const { header } = await this.withStore(flags, ({ call, methods }) =>
      call(methods['Auth/UserChangePassword'], request, { effect: 'once' }),
    )
    await this.answer(this.dottedId, { user: name, revision: header.revision }, () => `${name} has a new password`)
  }
}
