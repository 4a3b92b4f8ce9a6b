import { Args, Flags } from '../../../../cli/command.ts'
import { newPassword } from '../../../../cli/delos/new-password.ts'
import { STORE_CHANGE_FLAGS, StoreCommand } from '../../../../cli/delos/store-command.ts'

export default class AuthUserAdd extends StoreCommand {
  static override summary = 'Make a user.'
  static override description =
    'Without :PASSWORD it is asked for on a terminal, and read as a line from standard input elsewhere: there it stays out of the list of processes.'
  static override args = { name: Args.string({ required: true, description: 'the user, NAME or NAME:PASSWORD' }) }
  static override flags = {
    'no-password': Flags.boolean({ description: 'a certificate with this common name is the only way to be this user' }),
    ...STORE_CHANGE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos auth user add anna:SECRET',
    '<%= config.bin %> delos auth user add anna --no-password',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(AuthUserAdd)
    const [name = '', given] = args.name.split(/:(.*)/s, 2)
    if (!(await this.isAgreed({ text: `There is a user ${name}, without a role.`, danger: 'low' }, flags))) return
    const noPassword = flags['no-password']
    const password = noPassword ? '' : await newPassword(name, given, { stdin: process.stdin, stderr: process.stderr })
    const request = { name, password, options: { no_password: noPassword } }
    const { header } = await this.withStore(flags, ({ call, methods }) => call(methods['Auth/UserAdd'], request, { effect: 'once' }))
    await this.answer(this.dottedId, { user: name, revision: header.revision }, () => `added the user ${name}`)
  }
}
