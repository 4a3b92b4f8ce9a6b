import { Args, ChangeCommand, defined, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { count } from '../../../cli/render/text.ts'

const operation = remote('tw.job.retry', async () => (await import('../../../core/tw/operations.ts')).jobRetry)

export default class TwJobRetry extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Forgive failures: try at once what waits for its back-off or was given up.'
  static override args = { job: Args.string({ description: 'JOB, or JOB/GROUP for one of its groups', required: true }) }
  static override flags = { reason: Flags.string({ description: 'why, for the log', default: '' }) }
  static override examples = ['<%= config.bin %> tw job retry web', '<%= config.bin %> tw job retry shop/api --plan']

  input({ args, flags }: Parsed<typeof TwJobRetry>): InputOf<typeof operation> {
    const [job = '', group] = (args.job ?? '').split('/')
    return defined({ job, group, reason: flags.reason ?? '' })
  }

  render(data: OutputOf<typeof operation>): string {
    const restarted = data.restarted.length > 0 ? `; ${count(data.restarted.length, 'task')} started again` : ''
    return `failures of ${data.groups.map((group) => `${data.job}/${group}`).join(', ')} are forgiven${restarted}`
  }
}
