import { Args, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderNode } from '../../../cli/render/tw-nodes.ts'

const operation = remote('tw.node.show', async () => (await import('../../../core/tw/operations.ts')).nodeShow)

export default class TwNodeShow extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show a node and what runs there.'
  static override args = { node: Args.string({ description: 'the node', required: true }) }
  static override examples = ['<%= config.bin %> tw node show n1']

  input({ args }: Parsed<typeof TwNodeShow>): InputOf<typeof operation> {
    return { node: args.node ?? '' }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderNode(view, data)
  }
}
