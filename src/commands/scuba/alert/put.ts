import { Args, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('scuba.alert.put', async () => (await import('../../../core/scuba/operations.ts')).scubaAlertPut)

export default class ScubaAlertPut extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Put the alert rules of a YAML file, new or instead of those of the same name.'
  static override description = 'The file holds one rule, a list of them, or several documents. A starter is in templates/alerts/.'
  static override args = { file: Args.string({ description: 'the file, or - for standard input', required: true }) }
  static override examples = ['<%= config.bin %> scuba alert put templates/alerts/requests-5xx.yaml']

  async input({ args }: Parsed<typeof ScubaAlertPut>): Promise<InputOf<typeof operation>> {
    const { loadAlertFile } = await import('../../../cli/files/alert-file.ts')
    return { rules: loadAlertFile(args.file) }
  }

  render({ names }: OutputOf<typeof operation>): string {
    return names.map((name) => `Alert rule ${name} is in force.`).join('\n')
  }
}
