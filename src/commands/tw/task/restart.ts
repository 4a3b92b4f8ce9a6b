import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('tw.task.restart', async () => (await import('../../../core/tw/operations.ts')).taskRestart)

export default class TwTaskRestart extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Start a task again in its place.'
  static override description =
    'It is a planned change: it goes when the budget of its group has it and its application agrees. See `muster tw op ls`.'
  static override args = { task: Args.string({ description: 'JOB/GROUP[INDEX], or the id of a task', required: true }) }
  static override flags = { reason: Flags.string({ description: 'why, for the log', default: '' }) }
  static override examples = ["<%= config.bin %> tw task restart 'web/api[3]' --yes"]

  input({ args, flags }: Parsed<typeof TwTaskRestart>): InputOf<typeof operation> {
    return { task: args.task ?? '', reason: flags.reason ?? '' }
  }

  render(data: OutputOf<typeof operation>): string {
    return `${data.task} ${data.isChanged ? 'is to start again' : 'is stopping already'}`
  }
}
