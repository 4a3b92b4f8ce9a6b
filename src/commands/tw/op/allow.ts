import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { opNumber } from '../../../cli/flags/numbers.ts'

const operation = remote('tw.op.allow', async () => (await import('../../../core/tw/operations.ts')).opAllow)

export default class TwOpAllow extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Say yes to a planned change in place of its application; the budget still holds.'
  static override args = { op: Args.string({ description: 'the number of the op', required: true }) }
  static override flags = { reason: Flags.string({ description: 'why, for the log', default: '' }) }
  static override examples = ['<%= config.bin %> tw op allow 12 --yes --reason "leader moved by hand"']

  input({ args, flags }: Parsed<typeof TwOpAllow>): InputOf<typeof operation> {
    return { op: opNumber(args.op), reason: flags.reason ?? '' }
  }

  render(data: OutputOf<typeof operation>): string {
    return `op ${data.op} on ${data.task} is allowed; it goes when the budget has it`
  }
}
