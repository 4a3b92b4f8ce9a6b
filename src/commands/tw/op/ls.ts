import { defined, Flags, WatchQueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderOps } from '../../../cli/render/tw-ops.ts'

const operation = remote('tw.op.list', async () => (await import('../../../core/tw/operations.ts')).opList)

export default class TwOpLs extends WatchQueryCommand<typeof operation> {
  static override operation = operation
  static override watches = ['tw.']
  static override summary = 'List planned changes to tasks, and what each of them waits for.'
  static override flags = {
    job: Flags.string({ description: 'only of this job' }),
    node: Flags.string({ description: 'only of tasks on this node' }),
    all: Flags.boolean({ char: 'a', description: 'ended ones of the last hour too' }),
  }
  static override examples = ['<%= config.bin %> tw op ls', '<%= config.bin %> tw op ls --job web --all']

  input({ flags }: Parsed<typeof TwOpLs>): InputOf<typeof operation> {
    return defined({ job: flags.job, node: flags.node, isAll: flags.all })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderOps(view, data.ops)
  }
}
