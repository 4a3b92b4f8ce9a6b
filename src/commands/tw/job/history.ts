import { Args, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderHistory } from '../../../cli/render/tw-jobs.ts'

const operation = remote('tw.job.history', async () => (await import('../../../core/tw/operations.ts')).jobHistory)

export default class TwJobHistory extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List the versions of a job, newest first, with author and cause.'
  static override args = { job: Args.string({ description: 'the job', required: true }) }
  static override examples = ['<%= config.bin %> tw job history web']

  input({ args }: Parsed<typeof TwJobHistory>): InputOf<typeof operation> {
    return { job: args.job ?? '' }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderHistory(view, data)
  }
}
