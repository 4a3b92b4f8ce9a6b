import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const test = remote('scuba.alert.test', async () => (await import('../../../core/scuba/operations/alert.ts')).scubaAlertTest)
/** A rule that would have fired more often than this is worth another look before it pages people. */
const FIRINGS_MAX = 20
const REPLAYED_MS = 7 * 86_400_000

const operation = remote('scuba.alert.put', async () => (await import('../../../core/scuba/operations.ts')).scubaAlertPut)

export default class ScubaAlertPut extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Put the alert rules of a YAML file, new or instead of those of the same name.'
  static override description =
    'The file holds one rule, a list of them, or several documents. A starter is in templates/alerts/. Each is tried on the last 7 days first; one that would have fired more than 20 times is warned of.'
  static override args = { file: Args.string({ description: 'the file, or - for standard input', required: true }) }
  static override flags = { replay: Flags.boolean({ description: 'try the rules on the last 7 days first', default: true, allowNo: true }) }
  static override examples = ['<%= config.bin %> scuba alert put templates/alerts/requests-5xx.yaml']

  async input({ args, flags }: Parsed<typeof ScubaAlertPut>): Promise<InputOf<typeof operation>> {
    const { loadAlertFile } = await import('../../../cli/files/alert-file.ts')
    const rules = loadAlertFile(args.file)
    if (flags.replay) for (const rule of rules) await this.replay(rule)
    return { rules }
  }

  /** Says on stderr what the rule would have done. A store that cannot answer keeps no rule from being put. */
  private async replay(rule: InputOf<typeof operation>['rules'][number]): Promise<void> {
    try {
      const { data } = await this.client.call<OutputOf<typeof test>>(test.name, { rule, sinceMs: Date.now() - REPLAYED_MS })
      const times = `would have fired ${data.firings === 1 ? 'once' : `${data.firings} times`} since ${new Date(data.sinceMs).toISOString()}`
      if (data.firings > FIRINGS_MAX) this.note(`Warning: ${rule.name} ${times}. See when: muster scuba alert test FILE`)
      else this.note(`${rule.name} ${times}.`)
    } catch (error) {
      this.note(`${rule.name} was not tried on past rows: ${(error as Error).message}`)
    }
  }

  render({ names }: OutputOf<typeof operation>): string {
    return names.map((name) => `Alert rule ${name} is in force.`).join('\n')
  }
}
