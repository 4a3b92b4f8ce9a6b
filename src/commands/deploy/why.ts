import { Args, defined, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderWhy } from '../../cli/render/deploy-why.ts'
import { theRollout } from '../../cli/the-rollout.ts'

const operation = remote('deploy.why', async () => (await import('../../core/deploy/operations.ts')).deployWhy)

export default class DeployWhy extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Explain a rollout: each verdict with its numbers, and the present evidence.'
  static override args = { rollout: Args.string({ description: 'the rollout, or its service; without it, the only one' }) }
  static override flags = { at: Flags.integer({ description: 'only this step, counted from 1', min: 1, helpValue: 'STEP' }) }
  static override examples = ['<%= config.bin %> deploy why web', '<%= config.bin %> deploy why r57 --at 1 --json']

  async input({ args, flags }: Parsed<typeof DeployWhy>): Promise<InputOf<typeof operation>> {
    const rollout = args.rollout ?? (await theRollout((ref, asked) => this.call(ref, asked), null))
    return defined({ rollout, step: flags.at })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderWhy(data, view)
  }
}
