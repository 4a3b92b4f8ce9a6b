import { Args, Flags, MusterCommand } from '../../../cli/command.ts'
import { STORE_FLAGS } from '../../../cli/flags/store.ts'
import { renderComparison, renderVerdicts } from '../../../cli/render/delos-verify.ts'
import { EXIT, MusterError } from '../../../core/kernel/errors.ts'

export default class LogVerify extends MusterCommand {
  static override summary = 'Read every record of a log and say where the first bad one is: torn, rotten or missing.'
  static override description =
    'Changes nothing, and works while the server runs and when it cannot start. Exit 7 for rot and for missing positions; a torn end was never acknowledged and is cut at the next start. ' +
    'With --against-peers the servers of a store read their copies while they run, and the first position at which one cannot, or has something else than most, is told; ' +
    'a server of a quorum gets what it lost from the others when it starts again, and `muster delos status` says so.'
  static override args = {
    dir: Args.string({
      description: 'data directory of a `delos serve`, or a folder of segment files; without it the logs of this context',
    }),
  }
  static override flags = {
    from: Flags.integer({ description: 'from this position on', helpValue: 'POSITION', min: 1 }),
    to: Flags.integer({ description: 'up to this one', helpValue: 'POSITION', min: 1 }),
    'against-peers': Flags.boolean({ description: 'have each server of the store that --endpoints names read its log, and compare' }),
    ...STORE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos log verify',
    '<%= config.bin %> delos log verify ./store --from 4711',
    '<%= config.bin %> delos log verify --against-peers --endpoints http://127.0.0.1:2379',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(LogVerify)
    if (flags['against-peers']) {
      if (args.dir !== undefined) throw new MusterError('USAGE', '--against-peers is about a store that runs, not about a directory')
      const { compareLogs } = await import('../../../cli/delos/compare-logs.ts')
      const compared = await compareLogs(flags, flags.from ?? 1, flags.to ?? Number.MAX_SAFE_INTEGER)
      await this.answer(this.dottedId, compared, renderComparison)
      if (compared.faults.length > 0) process.exitCode = EXIT.findings
      return
    }
    const { logsBelow, verifyLog } = await import('../../../server/delos/verify-log.ts')
    const range = { ...(flags.from === undefined ? {} : { from: flags.from }), ...(flags.to === undefined ? {} : { to: flags.to }) }
    const logs = []
    for (const dir of await logsBelow(args.dir ?? this.paths.log)) logs.push(await verifyLog(dir, range))
    await this.answer(this.dottedId, { logs }, (data, view) => renderVerdicts(data.logs, view))
    if (logs.some(({ bad }) => bad !== null && bad.kind !== 'torn')) process.exitCode = EXIT.findings
  }
}
