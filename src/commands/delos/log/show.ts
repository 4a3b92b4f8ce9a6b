import { Args, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderEntry } from '../../../cli/render/delos.ts'

const operation = remote('delos.log.show', async () => (await import('../../../core/delos/operations.ts')).logShow)

export default class LogShow extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show one entry of the log, whole.'
  static override args = { position: Args.integer({ required: true, min: 1, description: 'its position' }) }
  static override flags = {
    log: Flags.option({ options: ['control', 'kv'] as const, default: 'control' as const, description: 'which log' })(),
  }
  static override examples = ['<%= config.bin %> delos log show 1', '<%= config.bin %> delos log show 1 -o yaml']

  input({ args, flags }: Parsed<typeof LogShow>): InputOf<typeof operation> {
    return { log: flags.log, position: args.position }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderEntry(data, view)
  }
}
