import { defined, Flags, WatchQueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderNodes } from '../../../cli/render/tw-nodes.ts'

const operation = remote('tw.node.list', async () => (await import('../../../core/tw/operations.ts')).nodeList)

export default class TwNodeLs extends WatchQueryCommand<typeof operation> {
  static override operation = operation
  static override watches = ['tw.']
  static override summary = 'List the nodes: state, tasks, what is reserved.'
  static override flags = { lost: Flags.boolean({ description: 'only lost ones' }) }
  static override examples = ['<%= config.bin %> tw node ls', '<%= config.bin %> tw node ls --lost -o wide']

  input({ flags }: Parsed<typeof TwNodeLs>): InputOf<typeof operation> {
    return defined({ isLost: flags.lost })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderNodes(view, data)
  }
}
