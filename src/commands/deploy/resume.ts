import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderRollout } from '../../cli/render/deploy.ts'

const operation = remote('deploy.resume', async () => (await import('../../core/deploy/operations.ts')).deployResume)

export default class DeployResume extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Let a held rollout go on; the step is judged anew first.'
  static override args = { rollout: Args.string({ description: 'the rollout, or its service', required: true }) }
  static override flags = { reason: Flags.string({ description: 'why, for the log', default: '' }) }
  static override examples = ['<%= config.bin %> deploy resume web']

  input({ args, flags }: Parsed<typeof DeployResume>): InputOf<typeof operation> {
    return { rollout: args.rollout ?? '', reason: flags.reason ?? '' }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderRollout(data, view)
  }
}
