import { Args, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../cli/command.ts'

const operation = remote('delos.token.revoke', async () => (await import('../../core/delos/operations.ts')).tokenRevoke)

export default class TokenRevoke extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = "End a bearer token of this context's API: what is asked with it is refused, on every server."
  static override description =
    'A server that is cut off from the others refuses it once it hears of it. What is being answered already, a stream too, goes on to its end.'
  static override examples = ['<%= config.bin %> token revoke ci', '<%= config.bin %> token revoke 3f9a01c2 --yes']
  static override args = { token: Args.string({ required: true, description: 'its name, or its id of `token ls`' }) }

  input({ args }: Parsed<typeof TokenRevoke>): InputOf<typeof operation> {
    return { token: args.token }
  }

  render({ name, role, id }: OutputOf<typeof operation>): string {
    return `${name} (${role}, ${id}) is good no more`
  }
}
