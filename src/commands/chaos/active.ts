import { Flags, WatchQueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderRuns } from '../../cli/render/chaos.ts'

const operation = remote('chaos.run.list', async () => (await import('../../core/chaos/operations.ts')).runList)

export default class ChaosActive extends WatchQueryCommand<typeof operation> {
  static override operation = operation
  static override watches = ['chaos.']
  static override summary = 'List runs that are under way, with their armed faults.'
  static override flags = { all: Flags.boolean({ char: 'a', description: 'also those that ended' }) }
  static override examples = ['<%= config.bin %> chaos active', '<%= config.bin %> chaos active --all']

  input({ flags }: Parsed<typeof ChaosActive>): InputOf<typeof operation> {
    return { isAll: flags.all ?? false }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderRuns(view, data.runs)
  }
}
