import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../cli/command.ts'

const operation = remote('delos.token.issue', async () => (await import('../../core/delos/operations.ts')).tokenIssue)

export default class TokenIssue extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = "Make a bearer token for this context's API on TCP; an old one of that name ends."
  static override description =
    'Printed once; the log has only its hash. It is good on every server of the fleet. The listener is started with `muster up --listen HOST:PORT`.'
  static override examples = ['<%= config.bin %> token issue ci --role operator', '<%= config.bin %> token issue dashboard --plan']
  static override args = { name: Args.string({ required: true, description: 'whom it is for; the log records token:NAME' }) }
  static override flags = {
    role: Flags.option({
      options: ['viewer', 'operator', 'approver', 'admin'] as const,
      default: 'viewer',
      description: 'what it allows',
    })(),
  }

  input({ args, flags }: Parsed<typeof TokenIssue>): InputOf<typeof operation> {
    return { name: args.name, role: flags.role }
  }

  render(data: OutputOf<typeof operation>): string {
    return data.token
  }
}
