import { Args, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderHistory } from '../../../cli/render/tw-jobs.ts'

const operation = remote('tw.job.history', async () => (await import('../../../core/tw/operations.ts')).jobHistory)

export default class TwJobHistory extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List the versions of a job, newest first, with author and cause.'
  static override args = { job: Args.string({ description: 'the job', required: true }) }
  static override flags = { diff: Flags.boolean({ description: 'with what each version changed' }) }
  static override examples = ['<%= config.bin %> tw job history web', '<%= config.bin %> tw job history web --diff']

  input({ args, flags }: Parsed<typeof TwJobHistory>): InputOf<typeof operation> {
    return { job: args.job ?? '', withChanges: flags.diff ?? false }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderHistory(view, data)
  }
}
