import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('tw.job.resume', async () => (await import('../../../core/tw/operations.ts')).jobResume)

export default class TwJobResume extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Let a paused job start runs again; what was due meanwhile is not made up for.'
  static override args = { job: Args.string({ description: 'the job', required: true }) }
  static override flags = { reason: Flags.string({ description: 'why, for the log', default: '' }) }
  static override examples = ['<%= config.bin %> tw job resume backup', '<%= config.bin %> tw job resume backup --plan']

  input({ args, flags }: Parsed<typeof TwJobResume>): InputOf<typeof operation> {
    return { job: args.job ?? '', reason: flags.reason ?? '' }
  }

  render(data: OutputOf<typeof operation>): string {
    return `${data.job} ${data.isChanged ? 'starts runs again' : 'was not paused'}`
  }
}
