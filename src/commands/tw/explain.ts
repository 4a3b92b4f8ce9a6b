import { Args, defined, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderExplain } from '../../cli/render/tw-tasks.ts'

const operation = remote('tw.explain', async () => (await import('../../core/tw/operations.ts')).explain)

export default class TwExplain extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Say why tasks are not placed, or why they are where and as they are.'
  static override args = { target: Args.string({ description: 'JOB, JOB/GROUP, JOB/GROUP[INDEX] or the id of a task', required: true }) }
  static override flags = {
    node: Flags.string({ description: 'whether this node could take one more, and if not, why', helpValue: 'NAME' }),
  }
  static override examples = [
    '<%= config.bin %> tw explain web',
    "<%= config.bin %> tw explain 'web/api[3]'",
    '<%= config.bin %> tw explain web --node n2',
  ]

  input({ args, flags }: Parsed<typeof TwExplain>): InputOf<typeof operation> {
    return defined({ target: args.target, node: flags.node })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderExplain(view, data)
  }
}
