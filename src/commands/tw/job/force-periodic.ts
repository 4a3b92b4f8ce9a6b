import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { dueText } from '../../../cli/render/tw-jobs.ts'

const operation = remote('tw.job.force-periodic', async () => (await import('../../../core/tw/operations.ts')).jobForcePeriodic)

export default class TwJobForcePeriodic extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Start a run of a periodic job now, beside its clock.'
  static override args = { job: Args.string({ description: 'the job', required: true }) }
  static override flags = { reason: Flags.string({ description: 'why, for the log', default: '' }) }
  static override examples = ['<%= config.bin %> tw job force-periodic backup', '<%= config.bin %> tw job force-periodic backup --plan']

  input({ args, flags }: Parsed<typeof TwJobForcePeriodic>): InputOf<typeof operation> {
    return { job: args.job ?? '', reason: flags.reason ?? '' }
  }

  render(data: OutputOf<typeof operation>): string {
    return [`${data.run} is started; by the clock the next are due at`, ...data.nextMs.map((at) => `  ${dueText(at)}`)].join('\n')
  }
}
