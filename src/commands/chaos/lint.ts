import { Args, MusterCommand } from '../../cli/command.ts'

export default class ChaosLint extends MusterCommand {
  static override summary = 'Check experiment files; exits 7 when something is wrong.'
  static override strict = false
  static override args = { file: Args.file({ description: 'experiment files, YAML or JSON', required: true }) }
  static override examples = ['<%= config.bin %> chaos lint templates/experiments/kill-tasks.yaml']

  async run(): Promise<void> {
    const { argv } = await this.start(ChaosLint)
    const { issueLines, lintFile } = await import('../../cli/files/experiment-file.ts')
    const files = argv.map((file) => lintFile(file)).map(({ file, issues }) => ({ file, issues }))
    const findings = files.reduce((sum, { issues }) => sum + issues.length, 0)
    await this.answer(this.dottedId, { files, findings }, () =>
      files.flatMap(({ file, issues }) => (issues.length === 0 ? [`${file}: ok`] : issueLines(file, issues))).join('\n'),
    )
    process.exitCode = findings > 0 ? 7 : 0
  }
}
