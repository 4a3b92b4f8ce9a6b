import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('tw.task.stop', async () => (await import('../../../core/tw/operations.ts')).taskStop)

export default class TwTaskStop extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Stop one task; its group replaces it.'
  static override args = { task: Args.string({ description: 'JOB/GROUP[INDEX], or the id of a task', required: true }) }
  static override flags = { reason: Flags.string({ description: 'why, for the log', default: '' }) }
  static override examples = ["<%= config.bin %> tw task stop 'web/api[3]' --yes"]

  input({ args, flags }: Parsed<typeof TwTaskStop>): InputOf<typeof operation> {
    return { task: args.task ?? '', reason: flags.reason ?? '' }
  }

  render(data: OutputOf<typeof operation>): string {
    return `${data.task} ${data.isChanged ? 'is stopping' : 'is stopping already'}`
  }
}
