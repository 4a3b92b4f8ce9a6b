import { Args, WatchQueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderJob } from '../../../cli/render/tw-jobs.ts'

const operation = remote('tw.job.show', async () => (await import('../../../core/tw/operations.ts')).jobShow)

export default class TwJobShow extends WatchQueryCommand<typeof operation> {
  static override operation = operation
  static override watches = ['tw.']
  static override summary = 'Show a job: what it wants, what it has, what is blocked.'
  static override args = { job: Args.string({ description: 'the job', required: true }) }
  static override examples = ['<%= config.bin %> tw job show web', '<%= config.bin %> tw job show web -o yaml']

  input({ args }: Parsed<typeof TwJobShow>): InputOf<typeof operation> {
    return { job: args.job ?? '' }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderJob(view, data)
  }
}
