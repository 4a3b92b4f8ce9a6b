import { QueryCommand, remote, type InputOf, type OutputOf, type View } from '../../../cli/command.ts'
import { renderJobs } from '../../../cli/render/tw-jobs.ts'

const operation = remote('tw.job.list', async () => (await import('../../../core/tw/operations.ts')).jobList)

export default class TwJobLs extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List the jobs.'
  static override examples = ['<%= config.bin %> tw job ls']

  input(): InputOf<typeof operation> {
    return {}
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderJobs(view, data)
  }
}
