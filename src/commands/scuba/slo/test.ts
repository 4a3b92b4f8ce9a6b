import { Args, Flags, MusterCommand, remote, type OutputOf } from '../../../cli/command.ts'
import { timeFlag } from '../../../cli/flags/time.ts'
import { renderSloTest } from '../../../cli/render/scuba-slos.ts'

const operation = remote('scuba.slo.test', async () => (await import('../../../core/scuba/operations/slo.ts')).scubaSloTest)

export default class ScubaSloTest extends MusterCommand {
  static override summary = 'Try the objectives of a file on past rows: what they would show, when they would have burned.'
  static override args = { file: Args.string({ description: 'the file, or - for standard input', required: true }) }
  static override flags = {
    since: Flags.string({ description: 'where to begin', helpValue: 'TIME', default: '7d' }),
    until: Flags.string({ description: 'where to end; now by default', helpValue: 'TIME' }),
  }
  static override examples = ['<%= config.bin %> scuba slo test templates/slos/starter.yaml --since 1d']

  async run(): Promise<void> {
    const { args, flags } = await this.start(ScubaSloTest)
    const { loadSloFile } = await import('../../../cli/files/slo-file.ts')
    const nowMs = Date.now()
    const sinceMs = timeFlag('since', flags.since, nowMs) ?? nowMs
    const untilMs = timeFlag('until', flags.until, nowMs)
    const tests = []
    for (const file of loadSloFile(args.file)) {
      const { data } = await this.client.call<OutputOf<typeof operation>>(operation.name, {
        file,
        sinceMs,
        ...(untilMs === undefined ? {} : { untilMs }),
      })
      tests.push({ service: file.service, ...data })
    }
    await this.answer(this.dottedId, { tests }, (all, view) => all.tests.map((one) => renderSloTest(one, view)).join('\n\n'))
  }
}
