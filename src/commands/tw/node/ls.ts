import { defined, Flags, WatchQueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderNodes } from '../../../cli/render/tw-nodes.ts'

const operation = remote('tw.node.list', async () => (await import('../../../core/tw/operations.ts')).nodeList)

export default class TwNodeLs extends WatchQueryCommand<typeof operation> {
  static override operation = operation
  static override watches = ['tw.']
  static override summary = 'List the nodes: state, tasks, what is reserved.'
  static override flags = {
    lost: Flags.boolean({ description: 'only lost ones' }),
    profile: Flags.boolean({ description: 'also the host profile of each, and how it differs from it' }),
    region: Flags.string({ description: 'only of this region', helpValue: 'NAME' }),
    limit: Flags.integer({ description: 'most nodes of one answer', min: 1, max: 10_000, helpValue: 'N' }),
    after: Flags.string({ description: 'the page behind the node of this name', helpValue: 'NAME' }),
  }
  static override examples = [
    '<%= config.bin %> tw node ls',
    '<%= config.bin %> tw node ls --lost -o wide',
    '<%= config.bin %> tw node ls --profile',
  ]

  /** that there is none of these says nothing of the others */
  private isChosen = false
  private hasProfile = false

  input({ flags }: Parsed<typeof TwNodeLs>): InputOf<typeof operation> {
    this.hasProfile = flags.profile
    this.isChosen = flags.lost === true || flags.region !== undefined || flags.after !== undefined
    return defined({ isLost: flags.lost, region: flags.region, limit: flags.limit, after: flags.after })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return data.length === 0 && this.isChosen ? 'None of the nodes is so.' : renderNodes(view, data, this.hasProfile)
  }
}
