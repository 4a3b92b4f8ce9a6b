import { ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderHalts } from '../../cli/render/deploy.ts'

const operation = remote('deploy.unhalt', async () => (await import('../../core/deploy/operations.ts')).deployUnhalt)

export default class DeployUnhalt extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Let halted rollouts go on; each step is judged anew first.'
  static override flags = {
    service: Flags.string({ description: 'only this service', exclusive: ['all'] }),
    all: Flags.boolean({ description: 'every service; also without any flag' }),
    reason: Flags.string({ description: 'why, for the log', required: true }),
  }
  static override examples = [
    '<%= config.bin %> deploy unhalt --all --reason "network trouble" --confirm all',
    '<%= config.bin %> deploy unhalt --service web --reason "checking" --confirm web',
  ]

  input({ flags }: Parsed<typeof DeployUnhalt>): InputOf<typeof operation> {
    return { service: flags.service ?? null, reason: flags.reason ?? '' }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderHalts(data.halts, view)
  }
}
