import { Args, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { OTHER_STORE_FLAGS } from '../../../cli/flags/store.ts'
import { renderHistory } from '../../../cli/render/delos.ts'

const operation = remote('delos.kv.history', async () => (await import('../../../core/delos/operations.ts')).kvHistory)

export default class KvHistory extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List the versions of a key that are kept: each put and delete, the newest last.'
  static override args = { key: Args.string({ required: true, description: 'the key' }) }
  static override flags = {
    limit: Flags.integer({ description: 'at most so many, the newest', default: 100, min: 1, max: 10_000 }),
    ...OTHER_STORE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos kv history config/web',
    '<%= config.bin %> delos kv history config/web --limit 5 --json',
  ]

  input({ args, flags }: Parsed<typeof KvHistory>): InputOf<typeof operation> {
    return { key: args.key, limit: flags.limit }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderHistory(data.versions, view)
  }
}
