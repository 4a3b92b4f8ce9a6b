import { Args, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../cli/command.ts'

const operation = remote('tw.drain.cancel', async () => (await import('../../core/tw/operations.ts')).nodeUndrain)

export default class TwUndrain extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Call off a drain, or take drained nodes back into service.'
  static override args = { target: Args.string({ description: 'a node, rack:R, zone:Z, region:R or label:K=V', required: true }) }
  static override examples = ['<%= config.bin %> tw undrain n2', '<%= config.bin %> tw undrain rack:r1-a-1']

  input({ args }: Parsed<typeof TwUndrain>): InputOf<typeof operation> {
    return { target: args.target ?? '' }
  }

  render(data: OutputOf<typeof operation>): string {
    return data.isChanged
      ? `${data.nodes.join(', ')} ${data.nodes.length === 1 ? 'takes' : 'take'} tasks again`
      : `${data.target} was not drained`
  }
}
