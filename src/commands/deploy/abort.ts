import { remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderRollout } from '../../cli/render/deploy.ts'
import { RolloutCommand } from '../../cli/rollout-command.ts'

const operation = remote('deploy.abort', async () => (await import('../../core/deploy/operations.ts')).deployAbort)

export default class DeployAbort extends RolloutCommand<typeof operation> {
  static override operation = operation
  static override summary = 'End a rollout in flight: back to the old release at once.'
  static override examples = ['<%= config.bin %> deploy abort web --yes']

  input({ args, flags }: Parsed<typeof DeployAbort>): Promise<InputOf<typeof operation>> {
    return this.rolloutInput(args, flags)
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderRollout(data, view)
  }
}
