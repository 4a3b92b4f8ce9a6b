import { defined, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderEntries } from '../../../cli/render/delos.ts'

const operation = remote('delos.log.ls', async () => (await import('../../../core/delos/operations.ts')).logList)

export default class LogLs extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List entries of the log: what changed, when, and who asked.'
  static override flags = {
    log: Flags.option({ options: ['control', 'kv'] as const, default: 'control' as const, description: 'which log' })(),
    from: Flags.integer({ description: 'from this position on; without it, the last ones', helpValue: 'POSITION', min: 1 }),
    limit: Flags.integer({ char: 'n', description: 'at most so many', default: 50, min: 1, max: 1000 }),
    type: Flags.string({ description: 'only types that start so, e.g. tw. or deploy.RolloutStarted' }),
    actor: Flags.string({ description: 'only what this actor did, e.g. user:anna' }),
  }
  static override examples = ['<%= config.bin %> delos log ls', '<%= config.bin %> delos log ls --type deploy. -n 10 --json']

  input({ flags }: Parsed<typeof LogLs>): InputOf<typeof operation> {
    return defined({ log: flags.log, from: flags.from, limit: flags.limit, type: flags.type, actor: flags.actor })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderEntries(data.entries, view)
  }
}
