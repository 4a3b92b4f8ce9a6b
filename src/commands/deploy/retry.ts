import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderRollout } from '../../cli/render/deploy.ts'

const operation = remote('deploy.retry', async () => (await import('../../core/deploy/operations.ts')).deployRetry)

export default class DeployRetry extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Try the same release again; refused when it is known to be bad.'
  static override args = { rollout: Args.string({ description: 'the rollout, or its service', required: true }) }
  static override flags = { reason: Flags.string({ description: 'why, for the log', default: '' }) }
  static override examples = ['<%= config.bin %> deploy retry r57 --yes']

  input({ args, flags }: Parsed<typeof DeployRetry>): InputOf<typeof operation> {
    return { rollout: args.rollout ?? '', reason: flags.reason ?? '' }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderRollout(data, view)
  }
}
