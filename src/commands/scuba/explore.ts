import { Args, defined, Flags, MusterCommand } from '../../cli/command.ts'
import { listFlag } from '../../cli/flags/query.ts'

export default class ScubaExplore extends MusterCommand {
  static override summary = 'Explore the rows of a table: chart, groups, columns with their top values, what is different.'
  static override description =
    'A screen on a terminal; ? lists its keys. Elsewhere `muster scuba panel` says the same as text: `y` in the screen gives the command.'
  static override args = { table: Args.string({ description: 'the table; requests by default, else the largest' }) }
  static override flags = {
    by: Flags.string({ description: 'columns to group by', helpValue: 'COLUMN,…', multiple: true, multipleNonGreedy: true }),
    calc: Flags.string({
      description: 'what to calculate; count by default',
      helpValue: 'CALC,…',
      multiple: true,
      multipleNonGreedy: true,
    }),
    where: Flags.string({ description: 'SQL condition', helpValue: 'CONDITION', multiple: true, multipleNonGreedy: true }),
    since: Flags.string({ description: 'rows from then on; 1h by default', helpValue: 'TIME' }),
    until: Flags.string({ description: 'rows before then', helpValue: 'TIME' }),
    compare: Flags.string({ description: 'also so much earlier', helpValue: 'DURATION' }),
  }
  static override examples = [
    '<%= config.bin %> scuba explore requests',
    '<%= config.bin %> scuba explore requests --by service --calc p99:latency_ms --where "status >= 500" --since 6h',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(ScubaExplore)
    const calc = listFlag(flags.calc)
    const by = listFlag(flags.by)
    if (!this.isScreen) {
      const { refuse } = await import('../../core/kernel/errors.ts')
      throw refuse('USAGE', 'the explorer is a screen, and this is no terminal', {
        hint: 'Ask with `muster scuba panel TABLE`, or look in a browser with `muster scuba open`.',
      })
    }
    const { openScubaExplore } = await import('../../tui/scuba-explore/open.tsx')
    const { where, since, until, compare } = flags
    const asked = defined({
      ...{ table: args.table, where, since, until, compare },
      ...(calc.length > 0 ? { calc } : {}),
      ...(by.length > 0 ? { by } : {}),
    })
    return openScubaExplore({
      client: this.client,
      context: this.settings.context.value,
      view: this.view,
      asked,
      signal: this.interrupted(),
    })
  }
}
