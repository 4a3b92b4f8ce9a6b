import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderRollout } from '../../cli/render/deploy.ts'

const operation = remote('deploy.pause', async () => (await import('../../core/deploy/operations.ts')).deployPause)

export default class DeployPause extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Hold a rollout at its present share.'
  static override args = { rollout: Args.string({ description: 'the rollout, or its service', required: true }) }
  static override flags = { reason: Flags.string({ description: 'why, for the log', default: '' }) }
  static override examples = ['<%= config.bin %> deploy pause web --reason "checking a graph"']

  input({ args, flags }: Parsed<typeof DeployPause>): InputOf<typeof operation> {
    return { rollout: args.rollout ?? '', reason: flags.reason ?? '' }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderRollout(data, view)
  }
}
