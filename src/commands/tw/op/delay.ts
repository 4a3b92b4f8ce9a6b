import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { opNumber } from '../../../cli/flags/numbers.ts'
import { durationFlag } from '../../../cli/flags/time.ts'

const operation = remote('tw.op.delay', async () => (await import('../../../core/tw/operations.ts')).opDelay)

export default class TwOpDelay extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Let a planned change wait for a while.'
  static override args = { op: Args.string({ description: 'the number of the op', required: true }) }
  static override flags = {
    for: Flags.string({ description: 'for how long', default: '10m', helpValue: '10m' }),
    reason: Flags.string({ description: 'why, for the log', default: '' }),
  }
  static override examples = ['<%= config.bin %> tw op delay 12 --for 30m --reason "backup runs"']

  input({ args, flags }: Parsed<typeof TwOpDelay>): InputOf<typeof operation> {
    return { op: opNumber(args.op), forMs: durationFlag('for', flags.for ?? '10m'), reason: flags.reason ?? '' }
  }

  render(data: OutputOf<typeof operation>): string {
    return `op ${data.op} on ${data.task} waits`
  }
}
