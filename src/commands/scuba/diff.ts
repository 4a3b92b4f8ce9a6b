import { Args, defined, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { listFlag } from '../../cli/flags/query.ts'
import { coverageExit, rowFlags, rowInput } from '../../cli/flags/rows.ts'
import { renderDiff } from '../../cli/render/scuba-explore.ts'
import type { DiffAnswer } from '../../core/scuba/wire-types.ts'

const operation = remote('scuba.diff', async () => (await import('../../core/scuba/operations.ts')).scubaDiff)

export default class ScubaDiff extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Rank columns by how much some rows differ from the others.'
  static override args = { table: Args.string({ description: 'the table', required: true }) }
  static override flags = {
    select: Flags.string({ description: 'SQL condition: the rows that are strange', helpValue: 'CONDITION', required: true }),
    baseline: Flags.string({ description: 'what to compare with; all other rows by default', helpValue: 'CONDITION' }),
    columns: Flags.string({ description: 'only these columns', helpValue: 'COLUMN,…', multiple: true, multipleNonGreedy: true }),
    where: Flags.string({ description: 'SQL condition', helpValue: 'CONDITION' }),
    ...rowFlags('1h'),
  }
  static override examples = [
    '<%= config.bin %> scuba diff requests --select "status >= 500"',
    '<%= config.bin %> scuba diff requests --select "latency_ms > 500" --baseline "latency_ms < 100" --since 15m',
  ]

  input({ args, flags }: Parsed<typeof ScubaDiff>): InputOf<typeof operation> {
    return defined({
      table: args.table,
      select: flags.select,
      baseline: flags.baseline,
      columns: listFlag(flags.columns).length > 0 ? listFlag(flags.columns) : undefined,
      where: flags.where,
      ...rowInput(flags),
    })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderDiff(data as DiffAnswer, view)
  }

  override exitCode(data: OutputOf<typeof operation>): number {
    return coverageExit(data)
  }
}
