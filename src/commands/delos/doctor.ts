import { Args, Flags, MusterCommand } from '../../cli/command.ts'
import { renderDoctor } from '../../cli/render/doctor.ts'
import { EXIT, MusterError } from '../../core/kernel/errors.ts'

export default class DelosDoctor extends MusterCommand {
  static override summary = 'Say whether this machine is fit for a server of the store, and what each lack costs.'
  static override description =
    'Writes and syncs for up to four seconds in the data directory: whether fdatasync is honest, how fast it is, and what writing files ahead gains. ' +
    'Exits with 6 if no server can run here; with --exit-code, with 7 if anything is missing.'
  static override args = { dir: Args.string({ description: 'where the data will be', default: '.' }) }
  static override flags = {
    ports: Flags.string({ description: 'ports that have to be free', default: '2379,2380', helpValue: 'N,…' }),
    'exit-code': Flags.boolean({ description: 'exit with 7 if anything is missing' }),
  }
  static override examples = ['<%= config.bin %> delos doctor', '<%= config.bin %> delos doctor ./store --ports 23790,23800 --json']

  async run(): Promise<void> {
    const { args, flags } = await this.start(DelosDoctor)
    const ports = flags.ports.split(',').map(Number)
    if (!ports.every((port) => Number.isInteger(port) && port > 0 && port < 65_536))
      throw new MusterError('USAGE', `--ports "${flags.ports}" are not port numbers such as 2379,2380`)
    const { examineForDelos } = await import('../../cli/delos/doctor.ts')
    const findings = await examineForDelos(args.dir, ports)
    await this.answer(this.dottedId, { findings }, (data, view) => renderDoctor(data.findings, view))
    const isBroken = findings.some(({ state }) => state === 'broken')
    const isLesser = findings.some(({ state }) => state !== 'ok')
    process.exitCode = isBroken ? EXIT.unavailable : flags['exit-code'] && isLesser ? EXIT.findings : EXIT.done
  }
}
