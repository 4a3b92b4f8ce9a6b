import { Args, ChangeCommand, defined, Flags, remote, type InputOf, type OutputOf, type View } from '../../../cli/command.ts'
import { renderApplied } from '../../../cli/render/sev-oncall.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

const operation = remote('sev.schedule.set', async () => (await import('../../../core/sev/operations.ts')).scheduleSet)
const zoneTables = remote('sev.zone.tables', async () => (await import('../../../core/sev/operations.ts')).zoneTables)

export default class SevScheduleApply extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Put an on-call file in force: people, teams, policies, schedules.'
  static override args = { file: Args.string({ description: 'YAML file; - is standard input', required: true }) }
  static override flags = {
    'allow-gap': Flags.string({ description: 'apply although somebody is missing, and say why', helpValue: 'REASON' }),
  }
  static override examples = ['<%= config.bin %> sev schedule apply oncall.yaml', '<%= config.bin %> sev schedule apply oncall.yaml --plan']

  input(): InputOf<typeof operation> {
    throw new MusterError('INTERNAL', 'run() makes the input')
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderApplied(data, view)
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.start(SevScheduleApply)
    const { loadOncallFile, scheduleError } = await import('../../../cli/files/oncall-file.ts')
    const { zoneNamesOf } = await import('../../../core/sev/schedule/compile.ts')
    const file = loadOncallFile(args.file)
    const { data } = await this.call(zoneTables, { names: zoneNamesOf(file.document).join(',') })
    try {
      const done = await this.change(
        operation,
        defined({ document: file.document, zones: data.zones, file: file.name, allowGap: flags['allow-gap'] }),
        flags as never,
      )
      if (done) await this.answer(this.dottedId, done.data, renderApplied, done.warnings)
    } catch (error) {
      // The server knows paths in the document, the file knows their lines.
      const details =
        error instanceof MusterError && error.code === 'SEV_SCHEDULE'
          ? (error.details as { problems?: { path: (string | number)[]; message: string }[] } | undefined)
          : undefined
      if (!details?.problems || !(error instanceof MusterError)) throw error
      throw scheduleError(details.problems.map(file.place), error.hint)
    }
  }
}
