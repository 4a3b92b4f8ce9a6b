import { defined, Flags, WatchQueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderCapacity } from '../../cli/render/tw-capacity.ts'

const operation = remote('tw.capacity', async () => (await import('../../core/tw/operations.ts')).capacity)

export default class TwCapacity extends WatchQueryCommand<typeof operation> {
  static override operation = operation
  static override watches = ['tw.']
  static override summary = 'Show what the fleet has, what is reserved, what is stranded, and the largest task that fits.'
  static override description =
    'Stranded is what is free on nodes where less of the other dimension is left than the typical (mean) task of the fleet asks for.\nThe largest task is that of the typical shape; any one with no more of each than is free there fits.\n--by entitlement has the guarantee of each owner and what it uses of it, and the shared rest.'
  static override flags = {
    by: Flags.string({ description: 'one line for each', options: ['region', 'zone', 'rack', 'model', 'pool', 'entitlement'] }),
  }
  static override examples = ['<%= config.bin %> tw capacity', '<%= config.bin %> tw capacity --by rack -o wide']

  input({ flags }: Parsed<typeof TwCapacity>): InputOf<typeof operation> {
    return defined({ by: flags.by }) as InputOf<typeof operation>
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderCapacity(view, data)
  }
}
