import { Args, defined, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { coverageExit, rowFlags, rowInput } from '../../cli/flags/rows.ts'
import { durationFlag } from '../../cli/flags/time.ts'
import { renderSessions } from '../../cli/render/scuba-explore.ts'
import type { SessionsAnswer } from '../../core/scuba/wire-types.ts'

const operation = remote('scuba.sessions', async () => (await import('../../core/scuba/operations.ts')).scubaSessions)

export default class ScubaSessions extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Divide what each actor did into sessions and measure them.'
  static override args = { table: Args.string({ description: 'the table', required: true }) }
  static override flags = {
    actor: Flags.string({ description: 'column of who acts', helpValue: 'COLUMN', required: true }),
    gap: Flags.string({ description: 'a pause this long ends a session', default: '30m', helpValue: 'DURATION' }),
    where: Flags.string({ description: 'SQL condition', helpValue: 'CONDITION' }),
    ...rowFlags('1h'),
  }
  static override examples = ['<%= config.bin %> scuba sessions requests --actor user --gap 10m --since 6h']

  input({ args, flags }: Parsed<typeof ScubaSessions>): InputOf<typeof operation> {
    return defined({
      table: args.table,
      actor: flags.actor,
      gapMs: durationFlag('gap', flags.gap, 1),
      where: flags.where,
      ...rowInput(flags),
    })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderSessions(data as SessionsAnswer, view)
  }

  override exitCode(data: OutputOf<typeof operation>): number {
    return coverageExit(data)
  }
}
