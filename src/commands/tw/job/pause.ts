import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('tw.job.pause', async () => (await import('../../../core/tw/operations.ts')).jobPause)

export default class TwJobPause extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Start no more runs of a periodic or parameterised job; runs that go on are left alone.'
  static override args = { job: Args.string({ description: 'the job', required: true }) }
  static override flags = { reason: Flags.string({ description: 'why, for the log', default: '' }) }
  static override examples = ['<%= config.bin %> tw job pause backup', '<%= config.bin %> tw job pause backup --plan']

  input({ args, flags }: Parsed<typeof TwJobPause>): InputOf<typeof operation> {
    return { job: args.job ?? '', reason: flags.reason ?? '' }
  }

  render(data: OutputOf<typeof operation>): string {
    return `${data.job} ${data.isChanged ? 'starts no more runs' : 'was paused already'}`
  }
}
