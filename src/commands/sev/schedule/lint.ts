import { Args, MusterCommand } from '../../../cli/command.ts'
import { mark } from '../../../cli/render/style.ts'

export default class SevScheduleLint extends MusterCommand {
  static override summary = 'Say what is wrong with an on-call file: unknown names, gaps, rotations of one person. Needs no server.'
  static override args = { file: Args.string({ description: 'YAML file; - is standard input', required: true }) }
  static override examples = ['<%= config.bin %> sev schedule lint oncall.yaml']

  async run(): Promise<void> {
    const { args } = await this.start(SevScheduleLint)
    const { loadOncallFile } = await import('../../../cli/files/oncall-file.ts')
    const { checkOncall, zoneNamesOf } = await import('../../../core/sev/schedule/compile.ts')
    const { isZone, schedulingZone } = await import('../../../server/zones.ts')
    const file = loadOncallFile(args.file)
    const now = Date.now()
    const zones = new Map(
      zoneNamesOf(file.document)
        .filter(isZone)
        .map((tz) => [tz, schedulingZone(tz, now)]),
    )
    const findings = checkOncall(file.document, zones, now).map((problem) => ({ ...file.place(problem), kind: problem.kind }))
    await this.answer(this.dottedId, { findings }, (data, view) =>
      data.findings.length === 0
        ? mark(view, 'ok', 'nothing to complain about')
        : data.findings
            .map((it) => `${it.file}:${it.line}:${it.column} ${mark(view, it.kind === 'error' ? 'bad' : 'warn', it.kind)} ${it.message}`)
            .join('\n'),
    )
    if (findings.length > 0) process.exitCode = 7
  }
}
