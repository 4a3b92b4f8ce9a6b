import { Args, defined, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderChanges } from '../../../cli/render/tw-jobs.ts'

const operation = remote('tw.job.diff', async () => (await import('../../../core/tw/operations.ts')).jobDiff)

export default class TwJobDiff extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show what changed between two versions of a job.'
  static override args = { job: Args.string({ description: 'the job', required: true }) }
  static override flags = {
    from: Flags.integer({ description: 'the older version; without it, the one before', min: 1 }),
    to: Flags.integer({ description: 'the newer version; without it, the latest', min: 1 }),
  }
  static override examples = ['<%= config.bin %> tw job diff web', '<%= config.bin %> tw job diff web --from 1 --to 4']

  input({ args, flags }: Parsed<typeof TwJobDiff>): InputOf<typeof operation> {
    return defined({ job: args.job ?? '', from: flags.from, to: flags.to })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderChanges(view, data.changes)
  }
}
