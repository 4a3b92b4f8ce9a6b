import { remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderRollout } from '../../cli/render/deploy.ts'
import { RolloutCommand } from '../../cli/rollout-command.ts'

const operation = remote('deploy.pause', async () => (await import('../../core/deploy/operations.ts')).deployPause)

export default class DeployPause extends RolloutCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Hold a rollout at its present share.'
  static override examples = ['<%= config.bin %> deploy pause web --reason "checking a graph"']

  input({ args, flags }: Parsed<typeof DeployPause>): Promise<InputOf<typeof operation>> {
    return this.rolloutInput(args, flags)
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderRollout(data, view)
  }
}
