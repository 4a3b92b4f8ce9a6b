import { Args, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderAlert } from '../../../cli/render/scuba-alerts.ts'

const operation = remote('scuba.alert.show', async () => (await import('../../../core/scuba/operations.ts')).scubaAlertShow)

export default class ScubaAlertShow extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show one alert rule and the state of its groups.'
  static override args = { name: Args.string({ description: 'the rule', required: true }) }
  static override examples = ['<%= config.bin %> scuba alert show feed-5xx']

  input({ args }: Parsed<typeof ScubaAlertShow>): InputOf<typeof operation> {
    return { name: args.name }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderAlert(data, view)
  }
}
