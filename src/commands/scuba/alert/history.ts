import { Args, defined, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderAlertMoves, renderLateVerdicts } from '../../../cli/render/scuba-alerts.ts'

const operation = remote('scuba.alert.history', async () => (await import('../../../core/scuba/operations/alert.ts')).scubaAlertHistory)

export default class ScubaAlertHistory extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List how alert rules moved within the last 30 days, newest first.'
  static override description =
    'Rows that come up to an hour late change no state; what they would have changed is noted, as long as the server goes on.'
  static override args = { name: Args.string({ description: 'only this rule' }) }
  static override flags = { limit: Flags.integer({ description: 'at most so many; 50 by default', helpValue: 'N', min: 1, max: 1000 }) }
  static override examples = ['<%= config.bin %> scuba alert history', '<%= config.bin %> scuba alert history feed-5xx --limit 200']

  input({ args, flags }: Parsed<typeof ScubaAlertHistory>): InputOf<typeof operation> {
    return defined({ name: args.name, limit: flags.limit })
  }

  render({ moves, late }: OutputOf<typeof operation>, view: View): string {
    return [renderAlertMoves(moves, view), ...(late.length === 0 ? [] : ['', renderLateVerdicts(late, view)])].join('\n')
  }
}
