import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderRollout } from '../../cli/render/deploy.ts'
import { theRollout } from '../../cli/the-rollout.ts'

const operation = remote('deploy.promote', async () => (await import('../../core/deploy/operations.ts')).deployPromote)

export default class DeployPromote extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Skip the remaining wait of a step, or with --full of all steps; never the breaker, the sample ratio or harm.'
  static override args = { rollout: Args.string({ description: 'the rollout, or its service; without it, the one in flight' }) }
  static override flags = {
    full: Flags.boolean({ description: 'skip the waits of all steps' }),
    reason: Flags.string({ description: 'why, for the log', default: '' }),
  }
  static override examples = ['<%= config.bin %> deploy promote web --yes', '<%= config.bin %> deploy promote web --full --yes']

  async input({ args, flags }: Parsed<typeof DeployPromote>): Promise<InputOf<typeof operation>> {
    const rollout =
      args.rollout ??
      (await theRollout(
        (ref, asked) => this.call(ref, asked),
        (text) => this.note(text),
      ))
    return { rollout, reason: flags.reason ?? '', isFull: flags.full ?? false }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderRollout(data, view)
  }
}
