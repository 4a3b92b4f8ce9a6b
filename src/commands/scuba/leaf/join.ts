import { Args, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('scuba.leaf.join', async () => (await import('../../../core/scuba/operations/segments.ts')).scubaLeafJoin)

export default class ScubaLeafJoin extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Run a leaf of the store on a node, and ask it with the others from then on.'
  static override description =
    "The node's agent keeps it running. What is sent to it stays on that node, and answers say when it is away. Asked again, nothing changes."
  static override args = { node: Args.string({ description: 'the node', required: true }) }
  static override examples = ['<%= config.bin %> scuba leaf join n2']

  input({ args }: Parsed<typeof ScubaLeafJoin>): InputOf<typeof operation> {
    return { node: args.node ?? '' }
  }

  render({ leaf, node, address }: OutputOf<typeof operation>): string {
    return `${leaf} runs on ${node} (${address})`
  }
}
