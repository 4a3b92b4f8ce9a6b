import { Args, defined, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { rowFlags, rowInput } from '../../cli/flags/rows.ts'
import { renderExplain } from '../../cli/render/scuba-explore.ts'
import type { ExplainAnswer } from '../../core/scuba/wire-types.ts'

const operation = remote('scuba.explain', async () => (await import('../../core/scuba/operations.ts')).scubaExplain)

export default class ScubaExplain extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Tell what a SELECT reads and costs.'
  static override args = { sql: Args.string({ description: 'the SELECT', required: true }) }
  static override flags = {
    analyze: Flags.boolean({ description: 'run it, too' }),
    ...rowFlags('all rows'),
  }
  static override examples = [
    '<%= config.bin %> scuba explain "select count(*) from requests" --since 15m',
    '<%= config.bin %> scuba explain "select avg(latency_ms) from requests" --analyze',
  ]

  input({ args, flags }: Parsed<typeof ScubaExplain>): InputOf<typeof operation> {
    return defined({
      sql: args.sql,
      analyze: flags.analyze,
      ...rowInput(flags),
    })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderExplain(data as ExplainAnswer, view)
  }
}
