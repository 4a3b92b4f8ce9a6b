import { Args, defined, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { coverageExit } from '../../cli/flags/rows.ts'
import { durationFlag, rangeFlags } from '../../cli/flags/time.ts'
import { renderTrace } from '../../cli/render/scuba-explore.ts'
import type { TraceAnswer } from '../../core/scuba/wire-types.ts'

const operation = remote('scuba.trace', async () => (await import('../../core/scuba/operations.ts')).scubaTrace)

export default class ScubaTrace extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show a trace as a waterfall, with the log lines and requests that carry its id.'
  static override args = { trace: Args.string({ description: 'id of the trace', required: true }) }
  static override flags = {
    since: Flags.string({ description: 'rows from then on: 15m, or a time; 1d by default', helpValue: 'TIME' }),
    until: Flags.string({ description: 'rows before then', helpValue: 'TIME' }),
    deadline: Flags.string({ description: 'longest time it may take; 5s by default', helpValue: 'DURATION' }),
  }
  static override examples = ['<%= config.bin %> scuba trace 4bf92f3577b34da6a3ce929d0e0e4736']

  input({ args, flags }: Parsed<typeof ScubaTrace>): InputOf<typeof operation> {
    return defined({
      trace: args.trace,
      ...rangeFlags(flags, Date.now()),
      deadlineMs: durationFlag('deadline', flags.deadline, 1),
    })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderTrace(data as TraceAnswer, view)
  }

  override exitCode(data: OutputOf<typeof operation>): number {
    return coverageExit(data)
  }
}
