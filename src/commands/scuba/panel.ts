import { setTimeout as sleep } from 'node:timers/promises'
import { Args, defined, Flags, MusterCommand, remote, type InputOf, type Parsed } from '../../cli/command.ts'
import { listFlag, paramsFlag } from '../../cli/flags/query.ts'
import { coverageExit } from '../../cli/flags/rows.ts'
import { durationFlag, rangeFlags } from '../../cli/flags/time.ts'
import { renderExplain } from '../../cli/render/scuba-explore.ts'
import { renderPanel } from '../../cli/render/scuba.ts'
import type { ExplainAnswer, PanelAnswer } from '../../core/scuba/wire-types.ts'

const operation = remote('scuba.panel', async () => (await import('../../core/scuba/operations.ts')).scubaPanel)
const explaining = remote('scuba.panel.explain', async () => (await import('../../core/scuba/operations.ts')).scubaPanelExplain)

export default class ScubaPanel extends MusterCommand {
  static override summary = 'Filter, group and calculate over one table, per time step.'
  static override description =
    'Calculations: count, sum:COLUMN, avg:, min:, max:, distinct:, p50: to p99.9: (within 1 %), exact_p99:, heatmap:, increase:, rate:, ratio(CONDITION). The first one ranks the groups. Exits 8 when not all rows could be read.'
  static override args = { table: Args.string({ description: 'the table', required: true }) }
  static override flags = {
    by: Flags.string({ description: 'columns to group by', helpValue: 'COLUMN,…', multiple: true, multipleNonGreedy: true }),
    calc: Flags.string({
      description: 'what to calculate; count by default',
      helpValue: 'CALC,…',
      multiple: true,
      multipleNonGreedy: true,
    }),
    where: Flags.string({ description: 'SQL condition', helpValue: 'CONDITION' }),
    param: Flags.string({
      description: 'value of $NAME in the condition',
      helpValue: 'NAME=VALUE',
      multiple: true,
      multipleNonGreedy: true,
    }),
    step: Flags.string({ description: 'width of a time step', helpValue: 'DURATION' }),
    since: Flags.string({ description: 'rows from then on; 1h by default', helpValue: 'TIME' }),
    until: Flags.string({ description: 'rows before then', helpValue: 'TIME' }),
    top: Flags.integer({ description: 'groups shown', default: 10, min: 1, max: 1000 }),
    other: Flags.boolean({ description: 'one more line for all other groups' }),
    having: Flags.string({
      description: 'only groups for which it holds, such as "count >= 100"; may be repeated',
      helpValue: 'CONDITION',
      multiple: true,
      multipleNonGreedy: true,
    }),
    compare: Flags.string({ description: 'also for the range so much earlier: 1d, 1w, 6h', helpValue: 'TIME' }),
    require: Flags.string({ description: 'full: refuse an answer that would miss rows', options: ['full', 'partial'] }),
    watch: Flags.boolean({ description: 'ask again each step' }),
    explain: Flags.boolean({ description: 'tell what it reads and what was built ahead for it, instead', exclusive: ['watch'] }),
    deadline: Flags.string({ description: 'longest time it may take; 5s by default', helpValue: 'DURATION' }),
  }
  static override examples = [
    '<%= config.bin %> scuba panel requests --by version --calc count,p99:latency_ms --step 5s',
    '<%= config.bin %> scuba panel requests --by service --calc "ratio(status >= 500),count" --since 15m --other',
    '<%= config.bin %> scuba panel requests --by service --calc count,avg:latency_ms --having "count >= 100" --compare 1w',
    '<%= config.bin %> scuba panel requests --by service --calc count --step 1m --explain',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(ScubaPanel)
    if (flags.explain) {
      const { data } = await this.call(explaining, this.input(args.table, flags))
      return this.answer('scuba.panel.explain', data as ExplainAnswer, renderExplain)
    }
    const ask = async (): Promise<PanelAnswer> => (await this.call(operation, this.input(args.table, flags))).data as PanelAnswer
    if (!flags.watch) {
      const answer = await ask()
      await this.answer('scuba.panel', answer, renderPanel)
      process.exitCode = coverageExit(answer)
      return
    }
    const everyMs = Math.max(1000, durationFlag('step', flags.step, 1) ?? 2000)
    const signal = this.interrupted()
    while (!signal.aborted) {
      const answer = await ask()
      if (this.isMachine) this.print(JSON.stringify({ type: 'snapshot', data: answer }))
      else this.print(`${this.isScreen ? '\u001b[H\u001b[2J' : ''}${renderPanel(answer, this.view)}`)
      await sleep(everyMs, undefined, { signal }).catch(() => undefined)
    }
  }

  private input(table: string, flags: Parsed<typeof ScubaPanel>['flags']): InputOf<typeof operation> {
    const now = Date.now()
    const calc = listFlag(flags.calc)
    return defined({
      table,
      calc: calc.length > 0 ? calc : ['count'],
      by: listFlag(flags.by),
      where: flags.where,
      params: paramsFlag(flags.param),
      stepMs: durationFlag('step', flags.step, 1),
      ...rangeFlags(flags, now),
      top: flags.top,
      other: flags.other,
      having: flags.having,
      compare: flags.compare,
      require: flags.require as 'full' | undefined,
      deadlineMs: durationFlag('deadline', flags.deadline, 1),
    })
  }
}
