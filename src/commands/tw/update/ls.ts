import {
  Args,
  defined,
  Flags,
  remote,
  WatchQueryCommand,
  type InputOf,
  type OutputOf,
  type Parsed,
  type View,
} from '../../../cli/command.ts'
import { renderUpdates } from '../../../cli/render/tw-updates.ts'

const operation = remote('tw.update.list', async () => (await import('../../../core/tw/operations.ts')).updateList)

export default class TwUpdateLs extends WatchQueryCommand<typeof operation> {
  static override operation = operation
  static override watches = ['tw.']
  static override summary = 'List updates: old and new tasks, what each waits for, the time left.'
  static override args = { job: Args.string({ description: 'only of this job' }) }
  static override flags = { all: Flags.boolean({ description: 'the latest of each group, also those that ended' }) }
  static override examples = ['<%= config.bin %> tw update ls', '<%= config.bin %> tw update ls --all --json']

  input({ args, flags }: Parsed<typeof TwUpdateLs>): InputOf<typeof operation> {
    return defined({ job: args.job, isAll: flags.all ?? false })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderUpdates(view, data, Date.now())
  }
}
