import { Args, ChangeCommand, defined, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderUpdates } from '../../../cli/render/tw-updates.ts'

const operation = remote('tw.update.resume', async () => (await import('../../../core/tw/operations.ts')).updateResume)

export default class TwUpdateResume extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Let a paused update go on.'
  static override args = { job: Args.string({ description: 'JOB, or JOB/GROUP for one of its groups', required: true }) }
  static override flags = {
    reason: Flags.string({ description: 'why, for the log', default: '' }),
  }
  static override examples = ['<%= config.bin %> tw update resume web']

  input({ args, flags }: Parsed<typeof TwUpdateResume>): InputOf<typeof operation> {
    const [job = '', group] = (args.job ?? '').split('/')
    return defined({ job, group, reason: flags.reason ?? '' })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return data.isChanged ? renderUpdates(view, data.updates, Date.now()) : `nothing to do: the update of ${data.job} is so already`
  }
}
