import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderRollout } from '../../cli/render/deploy.ts'
import { theRollout } from '../../cli/the-rollout.ts'

const operation = remote('deploy.pause', async () => (await import('../../core/deploy/operations.ts')).deployPause)

export default class DeployPause extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Hold a rollout at its present share.'
  static override args = { rollout: Args.string({ description: 'the rollout, or its service; without it, the one in flight' }) }
  static override flags = { reason: Flags.string({ description: 'why, for the log', default: '' }) }
  static override examples = ['<%= config.bin %> deploy pause web --reason "checking a graph"']

  async input({ args, flags }: Parsed<typeof DeployPause>): Promise<InputOf<typeof operation>> {
    const rollout =
      args.rollout ??
      (await theRollout(
        (ref, asked) => this.call(ref, asked),
        (text) => this.note(text),
      ))
    return { rollout, reason: flags.reason ?? '' }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderRollout(data, view)
  }
}
