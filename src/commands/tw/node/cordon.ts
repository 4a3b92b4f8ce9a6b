import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('tw.node.cordon', async () => (await import('../../../core/tw/operations.ts')).nodeCordon)

export default class TwNodeCordon extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Let a node take nothing new; what runs there stays.'
  static override args = { node: Args.string({ description: 'the node', required: true }) }
  static override flags = { reason: Flags.string({ description: 'why, for the log', default: '' }) }
  static override examples = ['<%= config.bin %> tw node cordon n2']

  input({ args, flags }: Parsed<typeof TwNodeCordon>): InputOf<typeof operation> {
    return { node: args.node ?? '', reason: flags.reason ?? '' }
  }

  render(data: OutputOf<typeof operation>): string {
    return `${data.node} takes nothing new${data.isChanged ? '' : ', as before'}`
  }
}
