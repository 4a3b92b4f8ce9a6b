import { Args, Flags, MusterCommand } from '../../../cli/command.ts'
import { renderVerdicts } from '../../../cli/render/delos-verify.ts'
import { EXIT } from '../../../core/kernel/errors.ts'

export default class LogVerify extends MusterCommand {
  static override summary = 'Read every record of a log and say where the first bad one is: torn, rotten or missing.'
  static override description =
    'Changes nothing, and works while the server runs and when it cannot start. Exit 7 for rot and for missing positions; a torn end was never acknowledged and is cut at the next start.'
  static override args = {
    dir: Args.string({
      description: 'data directory of a `delos serve`, or a folder of segment files; without it the logs of this context',
    }),
  }
  static override flags = {
    from: Flags.integer({ description: 'from this position on', helpValue: 'POSITION', min: 1 }),
    to: Flags.integer({ description: 'up to this one', helpValue: 'POSITION', min: 1 }),
  }
  static override examples = ['<%= config.bin %> delos log verify', '<%= config.bin %> delos log verify ./store --from 4711']

  async run(): Promise<void> {
    const { args, flags } = await this.start(LogVerify)
    const { logsBelow, verifyLog } = await import('../../../server/delos/verify-log.ts')
    const range = { ...(flags.from === undefined ? {} : { from: flags.from }), ...(flags.to === undefined ? {} : { to: flags.to }) }
    const logs = []
    for (const dir of await logsBelow(args.dir ?? this.paths.log)) logs.push(await verifyLog(dir, range))
    await this.answer(this.dottedId, { logs }, (data, view) => renderVerdicts(data.logs, view))
    if (logs.some(({ bad }) => bad !== null && bad.kind !== 'torn')) process.exitCode = EXIT.findings
  }
}
