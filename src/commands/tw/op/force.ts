import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { opNumber } from '../../../cli/flags/numbers.ts'

const operation = remote('tw.op.force', async () => (await import('../../../core/tw/operations.ts')).opForce)

export default class TwOpForce extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Carry a planned change out now, whatever budget and application say.'
  static override args = { op: Args.string({ description: 'the number of the op', required: true }) }
  static override flags = { reason: Flags.string({ description: 'why, for the log', default: '' }) }
  static override examples = ['<%= config.bin %> tw op force 12 --confirm 12 --reason "the disk is failing"']

  input({ args, flags }: Parsed<typeof TwOpForce>): InputOf<typeof operation> {
    return { op: opNumber(args.op), reason: flags.reason ?? '' }
  }

  render(data: OutputOf<typeof operation>): string {
    return `op ${data.op} on ${data.task} is forced`
  }
}
