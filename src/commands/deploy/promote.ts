import { Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderRollout } from '../../cli/render/deploy.ts'
import { RolloutCommand } from '../../cli/rollout-command.ts'

const operation = remote('deploy.promote', async () => (await import('../../core/deploy/operations.ts')).deployPromote)

export default class DeployPromote extends RolloutCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Skip the remaining wait of a step, or with --full of all steps; never the breaker, the sample ratio or harm.'
  static override flags = {
    full: Flags.boolean({ description: 'skip the waits of all steps' }),
    ...RolloutCommand.flags,
  }
  static override examples = ['<%= config.bin %> deploy promote web --yes', '<%= config.bin %> deploy promote web --full --yes']

  async input({ args, flags }: Parsed<typeof DeployPromote>): Promise<InputOf<typeof operation>> {
    return { ...(await this.rolloutInput(args, flags)), isFull: flags.full ?? false }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderRollout(data, view)
  }
}
