import { Args, ChangeCommand, defined, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderUpdates } from '../../../cli/render/tw-updates.ts'

const operation = remote('tw.update.promote', async () => (await import('../../../core/tw/operations.ts')).updatePromote)

export default class TwUpdatePromote extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Let an update that waits come further: to a number of new tasks, or to its end.'
  static override args = { job: Args.string({ description: 'JOB, or JOB/GROUP for one of its groups', required: true }) }
  static override flags = {
    to: Flags.integer({ description: 'so many new tasks, then wait again; without it, all', min: 1, helpValue: 'COUNT' }),
    reason: Flags.string({ description: 'why, for the log', default: '' }),
  }
  static override examples = ['<%= config.bin %> tw update promote web --to 2', '<%= config.bin %> tw update promote web']

  input({ args, flags }: Parsed<typeof TwUpdatePromote>): InputOf<typeof operation> {
    const [job = '', group] = (args.job ?? '').split('/')
    return defined({ job, group, to: flags.to, reason: flags.reason ?? '' })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return data.isChanged ? renderUpdates(view, data.updates, Date.now()) : `nothing to do: the update of ${data.job} is so already`
  }
}
