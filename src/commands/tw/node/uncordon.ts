import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('tw.node.uncordon', async () => (await import('../../../core/tw/operations.ts')).nodeUncordon)

export default class TwNodeUncordon extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Let a node take tasks again.'
  static override args = { node: Args.string({ description: 'the node', required: true }) }
  static override flags = { reason: Flags.string({ description: 'why, for the log', default: '' }) }
  static override examples = ['<%= config.bin %> tw node uncordon n2']

  input({ args, flags }: Parsed<typeof TwNodeUncordon>): InputOf<typeof operation> {
    return { node: args.node ?? '', reason: flags.reason ?? '' }
  }

  render(data: OutputOf<typeof operation>): string {
    return `${data.node} takes tasks again${data.isChanged ? '' : ', as before'}`
  }
}
