import { Args, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../cli/command.ts'

const operation = remote('tw.drain.cancel', async () => (await import('../../core/tw/operations.ts')).nodeUndrain)

export default class TwUndrain extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Call off a drain, or take a drained node back into service.'
  static override args = { node: Args.string({ description: 'the node', required: true }) }
  static override examples = ['<%= config.bin %> tw undrain n2']

  input({ args }: Parsed<typeof TwUndrain>): InputOf<typeof operation> {
    return { node: args.node ?? '' }
  }

  render(data: OutputOf<typeof operation>): string {
    return data.isChanged ? `${data.node} takes tasks again` : `${data.node} was not drained`
  }
}
