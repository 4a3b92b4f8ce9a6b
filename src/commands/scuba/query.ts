import { Args, defined, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { coverageExit } from '../../cli/flags/rows.ts'
import { renderQuery } from '../../cli/render/scuba.ts'
import { paramsFlag } from '../../cli/flags/query.ts'
import { durationFlag, timeFlag } from '../../cli/flags/time.ts'
import type { QueryAnswer } from '../../core/scuba/wire-types.ts'

const operation = remote('scuba.query', async () => (await import('../../core/scuba/operations.ts')).scubaQuery)

export default class ScubaQuery extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Answer SQL over the tables of the store.'
  static override description = 'One SELECT; times in JSON are ms since the epoch. Exits 8 when not all rows could be read.'
  static override args = { sql: Args.string({ description: 'the SELECT', required: true }) }
  static override flags = {
    since: Flags.string({ description: 'rows from then on: 15m, or a time', helpValue: 'TIME' }),
    until: Flags.string({ description: 'rows before then', helpValue: 'TIME' }),
    deadline: Flags.string({ description: 'longest time it may take; 5s by default', helpValue: 'DURATION' }),
    require: Flags.string({ description: 'full: refuse an answer that would miss rows', options: ['full', 'partial'] }),
    compare: Flags.string({ description: 'also for the range so much earlier: 1d, 1w, 6h', helpValue: 'TIME' }),
    param: Flags.string({
      description: 'value of $NAME in the SELECT; may be repeated',
      helpValue: 'NAME=VALUE',
      multiple: true,
      multipleNonGreedy: true,
    }),
  }
  static override examples = [
    '<%= config.bin %> scuba query "select count(*) from requests" --since 1h --compare 1w --require full',
    '<%= config.bin %> scuba query "select version, status, count(*) from requests group by 1, 2"',
    '<%= config.bin %> scuba query "select * from requests where status >= \\$min limit 5" --param min=500 --since 15m',
  ]

  input({ args, flags }: Parsed<typeof ScubaQuery>): InputOf<typeof operation> {
    const now = Date.now()
    return defined({
      sql: args.sql,
      sinceMs: timeFlag('since', flags.since, now),
      untilMs: timeFlag('until', flags.until, now),
      deadlineMs: durationFlag('deadline', flags.deadline, 1),
      params: paramsFlag(flags.param),
      require: flags.require as 'full' | undefined,
      compare: flags.compare,
    })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderQuery(data as QueryAnswer, view)
  }

  override exitCode(data: OutputOf<typeof operation>): number {
    return coverageExit(data)
  }
}
