import { Args, defined, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { JobCommand } from '../../../cli/job-command.ts'

const operation = remote('tw.job.revert', async () => (await import('../../../core/tw/operations.ts')).jobRevert)

export default class TwJobRevert extends JobCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Run an earlier version again, as a new version.'
  static override args = { job: Args.string({ description: 'the job', required: true }) }
  static override flags = {
    to: Flags.integer({ description: 'which version; without it, the one before, or of a stopped job the last that ran', min: 1 }),
    reason: Flags.string({ description: 'why, for the log', default: '' }),
  }
  static override examples = ['<%= config.bin %> tw job revert web --to 4 --wait', '<%= config.bin %> tw job revert web --plan']

  input({ args, flags }: Parsed<typeof TwJobRevert>): InputOf<typeof operation> {
    return defined({ job: args.job ?? '', to: flags.to, reason: flags.reason ?? '' })
  }

  render(data: OutputOf<typeof operation>): string {
    return data.isChanged
      ? `${data.job} runs as version ${data.version}`
      : `${data.job} runs exactly so already, as version ${data.version}`
  }

  awaited(data: OutputOf<typeof operation>): OutputOf<typeof operation> {
    return data
  }
}
