import { Args, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { opNumber } from '../../../cli/flags/numbers.ts'
import { renderOp } from '../../../cli/render/tw-ops.ts'

const operation = remote('tw.op.show', async () => (await import('../../../core/tw/operations.ts')).opShow)

export default class TwOpShow extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show a planned change: its cause, its state, and what it waits for.'
  static override args = { op: Args.string({ description: 'the number of the op', required: true }) }
  static override examples = ['<%= config.bin %> tw op show 12']

  input({ args }: Parsed<typeof TwOpShow>): InputOf<typeof operation> {
    return { op: opNumber(args.op) }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderOp(view, data, Date.now())
  }
}
