import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { renderAside, renderAsideSettled } from '../../../cli/render/scuba-aside.ts'

const list = remote('scuba.leaf.aside', async () => (await import('../../../core/scuba/operations/aside.ts')).scubaLeafAside)
const settle = remote('scuba.leaf.aside-settle', async () => (await import('../../../core/scuba/operations/aside.ts')).scubaLeafAsideSettle)

export default class ScubaLeafAside extends ChangeCommand<typeof settle> {
  static override operation = settle
  static override summary = "Show what a node's leaf set aside when its shards became another's, put it back, or remove it."
  static override description =
    'Rows that were acknowledged before they had a copy are with the lost leaf alone. When it is back, those with a key go back into their tables by themselves; those without one may have been sent again by their sender, so a person decides.'
  static override args = { node: Args.string({ description: "the node, or the leaf's name", required: true }) }
  static override flags = {
    merge: Flags.boolean({ description: 'put back what only it had, each batch once', exclusive: ['drop'] }),
    drop: Flags.boolean({ description: 'remove all that it set aside' }),
  }
  static override examples = [
    '<%= config.bin %> scuba leaf aside n2',
    '<%= config.bin %> scuba leaf aside n2 --merge --plan',
    '<%= config.bin %> scuba leaf aside n2 --merge',
  ]

  override async run(): Promise<void> {
    const { args, flags } = await this.start(ScubaLeafAside)
    if (flags.merge || flags.drop) return super.run()
    const { data, warnings } = await this.call(list, { node: args.node ?? '' })
    await this.answer(this.dottedId, data, renderAside, warnings)
  }

  input({ args, flags }: Parsed<typeof ScubaLeafAside>): InputOf<typeof settle> {
    return { node: args.node ?? '', what: flags.drop ? 'drop' : 'merge' }
  }

  render(data: OutputOf<typeof settle>): string {
    return renderAsideSettled(data)
  }
}
