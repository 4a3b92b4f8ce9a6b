import { Args, Flags, MusterCommand, remote, type OutputOf } from '../../../cli/command.ts'
import { timeFlag } from '../../../cli/flags/time.ts'
import { renderAlertMoves } from '../../../cli/render/scuba-alerts.ts'

const operation = remote('scuba.alert.test', async () => (await import('../../../core/scuba/operations/alert.ts')).scubaAlertTest)

export default class ScubaAlertTest extends MusterCommand {
  static override summary = 'Try the alert rules of a file on past rows: when they would have fired.'
  static override args = { file: Args.string({ description: 'the file, or - for standard input', required: true }) }
  static override flags = { since: Flags.string({ description: 'where to begin', helpValue: 'TIME', default: '7d' }) }
  static override examples = ['<%= config.bin %> scuba alert test templates/alerts/requests-5xx.yaml --since 7d']

  async run(): Promise<void> {
    const { args, flags } = await this.start(ScubaAlertTest)
    const { loadAlertFile } = await import('../../../cli/files/alert-file.ts')
    const nowMs = Date.now()
    const sinceMs = timeFlag('since', flags.since, nowMs) ?? nowMs
    const tests = []
    for (const rule of loadAlertFile(args.file)) {
      const { data } = await this.client.call<OutputOf<typeof operation>>(operation.name, { rule, sinceMs })
      tests.push({ rule: rule.name, ...data })
    }
    await this.answer(this.dottedId, { tests }, (all, view) =>
      all.tests
        .map(({ rule, firings, moves, sinceMs: from }) => {
          const head = `${rule} would have fired ${firings === 1 ? 'once' : `${firings} times`} since ${new Date(from).toISOString()}.`
          return moves.length === 0 ? head : `${head}\n\n${renderAlertMoves(moves, view)}`
        })
        .join('\n\n'),
    )
  }
}
