import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderRun } from '../../cli/render/chaos.ts'

const operation = remote('chaos.run.stop', async () => (await import('../../core/chaos/operations.ts')).runStop)

export default class ChaosStop extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Break a run off: every fault is undone at once.'
  static override args = { run: Args.string({ description: 'the run', required: true }) }
  static override flags = { reason: Flags.string({ description: 'why, for the log', default: 'stopped by a person' }) }
  static override examples = ['<%= config.bin %> chaos stop c57 --reason "seen enough"']

  input({ args, flags }: Parsed<typeof ChaosStop>): InputOf<typeof operation> {
    return { run: args.run ?? '', reason: flags.reason ?? 'stopped by a person' }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderRun(view, data)
  }
}
