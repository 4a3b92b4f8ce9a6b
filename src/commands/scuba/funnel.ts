import { Args, defined, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { listFlag } from '../../cli/flags/query.ts'
import { coverageExit, rowFlags, rowInput } from '../../cli/flags/rows.ts'
import { durationFlag } from '../../cli/flags/time.ts'
import { renderFunnel } from '../../cli/render/scuba-explore.ts'
import type { FunnelAnswer } from '../../core/scuba/wire-types.ts'

const operation = remote('scuba.funnel', async () => (await import('../../core/scuba/operations.ts')).scubaFunnel)

export default class ScubaFunnel extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Count who went through which steps, in their order.'
  static override description = 'Of each actor the first row that meets a step at or after the one before counts.'
  static override args = { table: Args.string({ description: 'the table', required: true }) }
  static override flags = {
    steps: Flags.string({
      description: 'SQL conditions, in order',
      helpValue: 'CONDITION,…',
      required: true,
      multiple: true,
      multipleNonGreedy: true,
    }),
    actor: Flags.string({ description: 'column of who goes through them', helpValue: 'COLUMN', required: true }),
    within: Flags.string({ description: 'longest time from the first step to the last', helpValue: 'DURATION' }),
    where: Flags.string({ description: 'SQL condition', helpValue: 'CONDITION' }),
    ...rowFlags('1h'),
  }
  static override examples = [
    "<%= config.bin %> scuba funnel requests --actor user --steps \"path = '/cart',path = '/pay',path = '/done'\" --within 1h",
  ]

  input({ args, flags }: Parsed<typeof ScubaFunnel>): InputOf<typeof operation> {
    return defined({
      table: args.table,
      steps: listFlag(flags.steps),
      actor: flags.actor,
      withinMs: durationFlag('within', flags.within, 1),
      where: flags.where,
      ...rowInput(flags),
    })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderFunnel(data as FunnelAnswer, view)
  }

  override exitCode(data: OutputOf<typeof operation>): number {
    return coverageExit(data)
  }
}
