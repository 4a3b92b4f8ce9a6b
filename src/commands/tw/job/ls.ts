import { defined, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderJobs } from '../../../cli/render/tw-jobs.ts'

const operation = remote('tw.job.list', async () => (await import('../../../core/tw/operations.ts')).jobList)

export default class TwJobLs extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List the jobs.'
  static override flags = {
    limit: Flags.integer({ description: 'most jobs of one answer', min: 1, max: 10_000, helpValue: 'N' }),
    after: Flags.string({ description: 'the page behind the job of this name', helpValue: 'NAME' }),
  }
  static override examples = ['<%= config.bin %> tw job ls']

  input({ flags }: Parsed<typeof TwJobLs>): InputOf<typeof operation> {
    return defined({ limit: flags.limit, after: flags.after })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderJobs(view, data)
  }
}
