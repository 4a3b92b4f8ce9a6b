import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('tw.job.purge', async () => (await import('../../../core/tw/operations.ts')).jobPurge)

export default class TwJobPurge extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Forget a stopped job: its versions, runs and ended tasks. Volumes stay.'
  static override args = { job: Args.string({ description: 'the job', required: true }) }
  static override flags = { reason: Flags.string({ description: 'why, for the log', default: '' }) }
  static override examples = ['<%= config.bin %> tw job purge web --confirm web', '<%= config.bin %> tw job purge web --plan']

  input({ args, flags }: Parsed<typeof TwJobPurge>): InputOf<typeof operation> {
    return { job: args.job ?? '', reason: flags.reason ?? '' }
  }

  render(data: OutputOf<typeof operation>): string {
    return `${data.job} is forgotten; the log keeps its story (\`muster tw events\`)`
  }
}
