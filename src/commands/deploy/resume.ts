import { remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderRollout } from '../../cli/render/deploy.ts'
import { RolloutCommand } from '../../cli/rollout-command.ts'

const operation = remote('deploy.resume', async () => (await import('../../core/deploy/operations.ts')).deployResume)

export default class DeployResume extends RolloutCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Let a held rollout go on; the step is judged anew first.'
  static override examples = ['<%= config.bin %> deploy resume web']

  input({ args, flags }: Parsed<typeof DeployResume>): Promise<InputOf<typeof operation>> {
    return this.rolloutInput(args, flags)
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderRollout(data, view)
  }
}
