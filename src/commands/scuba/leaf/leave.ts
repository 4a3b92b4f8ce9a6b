import { Args, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('scuba.leaf.leave', async () => (await import('../../../core/scuba/operations/segments.ts')).scubaLeafLeave)

export default class ScubaLeafLeave extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = "Give all that a node's leaf has to another leaf, and end it."
  static override description =
    'What it has is copied while it goes on; then it takes no rows for as long as the rest takes, its shards move, and its node runs none any more. `muster scuba leaves` shows how far it is. Its folder stays on the node as `scuba-left`.'
  static override args = { node: Args.string({ description: 'the node', required: true }) }
  static override examples = ['<%= config.bin %> scuba leaf leave n2 --plan', '<%= config.bin %> scuba leaf leave n2']

  input({ args }: Parsed<typeof ScubaLeafLeave>): InputOf<typeof operation> {
    return { node: args.node ?? '' }
  }

  render({ leaf, node, to }: OutputOf<typeof operation>): string {
    return `${leaf} on ${node} gives what it has to ${to}; see \`muster scuba leaves\``
  }
}
