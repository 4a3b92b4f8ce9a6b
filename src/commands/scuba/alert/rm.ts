import { Args, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('scuba.alert.rm', async () => (await import('../../../core/scuba/operations.ts')).scubaAlertRm)

export default class ScubaAlertRm extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Remove an alert rule.'
  static override args = { name: Args.string({ description: 'the rule', required: true }) }
  static override examples = ['<%= config.bin %> scuba alert rm feed-5xx --yes']

  input({ args }: Parsed<typeof ScubaAlertRm>): InputOf<typeof operation> {
    return { name: args.name }
  }

  render({ name }: OutputOf<typeof operation>): string {
    return `Alert rule ${name} is removed.`
  }
}
