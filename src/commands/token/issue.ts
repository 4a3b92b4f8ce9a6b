import { Args, Flags, MusterCommand } from '../../cli/command.ts'
import type { Role } from '../../core/contracts/operation.ts'

export default class TokenIssue extends MusterCommand {
  static override summary = 'Make a bearer token for the TCP listener of this context; an old one of that name ends.'
  static override description = 'Printed once; only its hash is kept. The listener is started with `muster up --listen HOST:PORT`.'
  static override examples = ['<%= config.bin %> token issue ci --role operator']
  static override args = { name: Args.string({ required: true, description: 'whom it is for; the log records token:NAME' }) }
  static override flags = {
    role: Flags.string({ options: ['viewer', 'operator', 'approver', 'admin'], default: 'viewer', description: 'what it allows' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.start(TokenIssue)
    const { openTokens } = await import('../../server/api/roles.ts')
    const token = openTokens(this.paths.keys).issue(args.name, flags.role as Role)
    await this.answer('token.issue', { name: args.name, role: flags.role, token }, (data) => data.token)
  }
}
