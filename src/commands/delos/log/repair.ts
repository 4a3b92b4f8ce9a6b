import { resolve } from 'node:path'
import { Flags, MusterCommand } from '../../../cli/command.ts'
import { confirmName, confirmYes } from '../../../cli/confirm.ts'
import { renderRepair } from '../../../cli/render/delos-repair.ts'

export default class LogRepair extends MusterCommand {
  static override summary = 'Make the log of a server alone readable again, when part of it is damaged (DELOS_LOG_CORRUPT).'
  static override description =
    'The server must not run. What cannot be read is taken from an archive, with --from; else, where the state on the disk holds it, the log begins after it. When neither has it, ' +
    'what was acknowledged from there on is lost, and that has to be confirmed with the name of the server: what is lost is said first, position by position, and --plan only says it. ' +
    'What was damaged is kept beside the log. One of several servers needs none of this: it gets from the others what it lost.'
  static override flags = {
    log: Flags.option({
      options: ['control', 'kv'] as const,
      description: 'which log; without it control of this context, kv of a --data-dir',
    })(),
    'data-dir': Flags.string({ description: 'data directory of a `delos serve`; without it the state of this context', helpValue: 'DIR' }),
    from: Flags.string({ description: 'folder of an archive (`muster delos log archive --to`)', helpValue: 'DIR' }),
    plan: Flags.boolean({ description: 'only say what is damaged, and what would be done' }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask y/N, where nothing acknowledged is lost' }),
    confirm: Flags.string({ description: 'the name of the server, instead of being asked, where something is lost', helpValue: 'NAME' }),
  }
  static override examples = [
    '<%= config.bin %> delos log repair --plan',
    '<%= config.bin %> delos log repair --log kv --data-dir ./store --from /backup/store --yes',
  ]

  async run(): Promise<void> {
    const { flags } = await this.start(LogRepair)
    const { repairLog } = await import('../../../server/delos/repair-log.ts')
    const dir = flags['data-dir'] === undefined ? this.paths.root : resolve(flags['data-dir'])
    const log = flags.log ?? (flags['data-dir'] === undefined ? 'control' : 'kv')
    const request = { dir, log, archive: flags.from === undefined ? null : resolve(flags.from) }
    const plan = await repairLog({ ...request, isPlan: true, mayLose: false })
    if (flags.plan || plan.how === 'nothing') return this.answer(this.dottedId, plan, renderRepair)
    const { lost } = plan
    const isTold = (lost === null ? flags.yes : flags.confirm !== undefined) || !this.isScreen
    if (!isTold) this.note(renderRepair(plan))
    if (lost === null) await confirmYes(`The log ${log} of ${plan.name} is written anew. Go on?`, flags.yes, process)
    else await confirmName(`Positions ${lost.from} to ${lost.to} of the log ${log} are lost for good.`, plan.name, flags.confirm, process)
    await this.answer(this.dottedId, await repairLog({ ...request, isPlan: false, mayLose: lost !== null }), renderRepair)
  }
}
