import { Args, remote, WatchQueryCommand, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderUpdates } from '../../../cli/render/tw-updates.ts'

const operation = remote('tw.update.list', async () => (await import('../../../core/tw/operations.ts')).updateList)

export default class TwUpdateShow extends WatchQueryCommand<typeof operation> {
  static override operation = operation
  static override watches = ['tw.']
  static override summary = 'Show the latest update of each group of a job.'
  static override args = { job: Args.string({ description: 'the job', required: true }) }
  static override examples = ['<%= config.bin %> tw update show web', '<%= config.bin %> tw update show web --watch']

  input({ args }: Parsed<typeof TwUpdateShow>): InputOf<typeof operation> {
    return { job: args.job ?? '' }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderUpdates(view, data, Date.now())
  }
}
