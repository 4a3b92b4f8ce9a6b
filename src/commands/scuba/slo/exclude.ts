import { Args, ChangeCommand, defined, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { timeFlag } from '../../../cli/flags/time.ts'

const operation = remote('scuba.slo.exclude', async () => (await import('../../../core/scuba/operations/slo.ts')).scubaSloExclude)

export default class ScubaSloExclude extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Leave a span out of the objectives of a service, with a reason, or count it again.'
  static override description = 'What is excluded counts neither for the budget nor for burn rates; the figure with it is still shown.'
  static override args = { service: Args.string({ description: 'the service', required: true }) }
  static override flags = {
    objective: Flags.string({ description: 'only of this objective', helpValue: 'NAME' }),
    from: Flags.string({ description: 'beginning of the span', helpValue: 'TIME' }),
    to: Flags.string({ description: 'its end', helpValue: 'TIME' }),
    reason: Flags.string({ description: 'why; needed', helpValue: 'TEXT' }),
    remove: Flags.integer({
      description: 'count the exclusion of this number again',
      helpValue: 'N',
      exclusive: ['from', 'to', 'reason', 'objective'],
    }),
  }
  static override examples = [
    '<%= config.bin %> scuba slo exclude news-feed --from 2026-11-28T02:00Z --to 2026-11-28T03:30Z --reason "announced maintenance" --yes',
    '<%= config.bin %> scuba slo exclude news-feed --remove 4711 --yes',
  ]

  input({ args, flags }: Parsed<typeof ScubaSloExclude>): InputOf<typeof operation> {
    const nowMs = Date.now()
    return defined({
      service: args.service,
      objective: flags.objective,
      fromMs: timeFlag('from', flags.from, nowMs),
      toMs: timeFlag('to', flags.to, nowMs),
      reason: flags.reason,
      remove: flags.remove,
    })
  }

  render({ file, exclusions }: OutputOf<typeof operation>): string {
    const spans = exclusions.map(
      ({ id, fromMs, toMs, reason }) => `${id}: ${new Date(fromMs).toISOString()} to ${new Date(toMs).toISOString()}, ${reason}`,
    )
    return [
      `${spans.length === 0 ? 'Nothing is' : 'Now'} excluded from the objectives of ${file.service}${spans.length === 0 ? '.' : ':'}`,
      ...spans,
    ].join('\n')
  }
}
