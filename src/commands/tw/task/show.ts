import { Args, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderTask } from '../../../cli/render/tw-tasks.ts'

const operation = remote('tw.task.show', async () => (await import('../../../core/tw/operations.ts')).taskShow)

export default class TwTaskShow extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show a task and its last 20 events.'
  static override args = { task: Args.string({ description: 'JOB/GROUP[INDEX], or the id of a task', required: true }) }
  static override examples = ["<%= config.bin %> tw task show 'web/api[3]'"]

  input({ args }: Parsed<typeof TwTaskShow>): InputOf<typeof operation> {
    return { task: args.task ?? '' }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderTask(view, data)
  }
}
