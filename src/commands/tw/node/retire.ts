import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('tw.node.retire', async () => (await import('../../../core/tw/operations.ts')).nodeRetire)

export default class TwNodeRetire extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Forget a node whose machine is gone for good; its name and key are free then.'
  static override description =
    'Refused while tasks run there. One in service is drained or cordoned first; an agent of it is no longer let in.'
  static override args = { node: Args.string({ description: 'the node', required: true }) }
  static override flags = { reason: Flags.string({ description: 'why, for the log', default: '' }) }
  static override examples = ['<%= config.bin %> tw node retire n2 --yes --reason "sold"']

  input({ args, flags }: Parsed<typeof TwNodeRetire>): InputOf<typeof operation> {
    return { node: args.node ?? '', reason: flags.reason ?? '' }
  }

  render(data: OutputOf<typeof operation>): string {
    return `${data.node} is retired`
  }
}
