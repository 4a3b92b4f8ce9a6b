import { Args, ChangeCommand, defined, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { WAIT_FLAGS, waitMs } from '../../../cli/flags/wait.ts'

const operation = remote('tw.job.revert', async () => (await import('../../../core/tw/operations.ts')).jobRevert)

export default class TwJobRevert extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Run an earlier version again, as a new version.'
  static override args = { job: Args.string({ description: 'the job', required: true }) }
  static override flags = {
    to: Flags.integer({ description: 'which version; without it, the one before, or of a stopped job the last that ran', min: 1 }),
    ...WAIT_FLAGS,
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

  override async run(): Promise<void> {
    const parsed = await this.start(TwJobRevert)
    const timeoutMs = waitMs(parsed.flags)
    const done = await this.change(operation, this.input(parsed), parsed.flags as never)
    if (done === null) return
    if (timeoutMs !== null) await this.waitForJob(done.data, timeoutMs)
    await this.answer(operation.name, done.data, (data) => this.render(data), done.warnings)
  }
}
