import { Args, ChangeCommand, defined, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderRollout } from '../../cli/render/deploy.ts'

const operation = remote('deploy.rollback', async () => (await import('../../core/deploy/operations.ts')).deployRollback)

export default class DeployRollback extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Return a service to its last good release, in flight or after success.'
  static override description = 'Without steps and without asking any guard. The release it leaves is marked bad.'
  static override args = { service: Args.string({ description: 'the service', required: true }) }
  static override flags = {
    to: Flags.string({ description: 'another earlier release', helpValue: 'RELEASE' }),
    reason: Flags.string({ description: 'why, for the log', default: '' }),
  }
  static override examples = ['<%= config.bin %> deploy rollback web --yes', '<%= config.bin %> deploy rollback web --plan']

  input({ args, flags }: Parsed<typeof DeployRollback>): InputOf<typeof operation> {
    return defined({ service: args.service ?? '', to: flags.to, reason: flags.reason ?? '' })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderRollout(data, view)
  }
}
