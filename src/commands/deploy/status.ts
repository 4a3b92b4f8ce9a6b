import { Args, defined, WatchQueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderStatus } from '../../cli/render/deploy.ts'

const operation = remote('deploy.status', async () => (await import('../../core/deploy/operations.ts')).deployStatus)

export default class DeployStatus extends WatchQueryCommand<typeof operation> {
  static override operation = operation
  static override watches = ['deploy.']
  static override summary = 'Show rollouts in flight, and the last ended one of each other service.'
  static override args = { service: Args.string({ description: 'only this service' }) }
  static override examples = ['<%= config.bin %> deploy status', '<%= config.bin %> deploy status web -o wide']

  input({ args }: Parsed<typeof DeployStatus>): InputOf<typeof operation> {
    return defined({ service: args.service })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderStatus(data, view)
  }
}
