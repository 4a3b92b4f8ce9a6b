import { renderChangePlan, type ChangePlan } from '../../../cli/render/tw-job-plan.ts'
import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('tw.job.stop', async () => (await import('../../../core/tw/operations.ts')).jobStop)

export default class TwJobStop extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Stop every task of a job; its versions stay.'
  static override args = { job: Args.string({ description: 'the job', required: true }) }
  static override flags = {
    'take-over': Flags.boolean({ description: 'although a rollout owns the job' }),
    reason: Flags.string({ description: 'why, for the log', default: '' }),
  }
  static override examples = ['<%= config.bin %> tw job stop web --yes', '<%= config.bin %> tw job stop web --plan']

  input({ args, flags }: Parsed<typeof TwJobStop>): InputOf<typeof operation> {
    return { job: args.job ?? '', takeOver: flags['take-over'] ?? false, reason: flags.reason ?? '' }
  }

  protected override async picture(input: InputOf<typeof operation>): Promise<string> {
    return renderChangePlan(this.view, (await this.client.call<ChangePlan>('tw.job.stop.plan', input)).data)
  }

  render(data: OutputOf<typeof operation>): string {
    return data.isChanged
      ? `${data.job} is stopping; run it again with \`muster tw job revert ${data.job}\``
      : `${data.job} was stopped already`
  }
}
