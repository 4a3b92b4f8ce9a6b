import { Flags, MusterCommand } from '../cli/command.ts'
import { renderDoctor } from '../cli/render/doctor.ts'
import { EXIT } from '../core/kernel/errors.ts'

export default class Doctor extends MusterCommand {
  static override summary = 'Say what is missing on this machine and what that costs.'
  static override description =
    'Needs no server. Exits with 6 if muster cannot run here at all; with --exit-code, with 7 if anything is missing.'
  static override flags = { 'exit-code': Flags.boolean({ description: 'exit with 7 if anything is missing' }) }
  static override examples = ['<%= config.bin %> doctor', '<%= config.bin %> doctor --json']

  async run(): Promise<void> {
    const { flags } = await this.start(Doctor)
    const { examine } = await import('../cli/doctor.ts')
    const findings = await examine(this.paths)
    await this.answer('doctor', { findings }, (data, view) => renderDoctor(data.findings, view))
    const isBroken = findings.some(({ state }) => state === 'broken')
    const isLesser = findings.some(({ state }) => state !== 'ok')
    process.exitCode = isBroken ? EXIT.unavailable : flags['exit-code'] && isLesser ? EXIT.findings : EXIT.done
  }
}
