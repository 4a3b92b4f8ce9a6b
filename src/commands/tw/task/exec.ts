import { Args, MusterCommand } from '../../../cli/command.ts'

export default class TwTaskExec extends MusterCommand {
  static override summary = 'Run a command beside a task: its namespaces, environment and folder.'
  static override description =
    'Terminal, window size and exit code are those of the command itself; 127 and 126 say that there is no such program, or none that can be run. ' +
    'A terminal needs the program script on the machine of the task.'
  static override strict = false
  static override args = { task: Args.string({ description: 'JOB/GROUP[INDEX], or the id of a task', required: true }) }
  static override examples = ["<%= config.bin %> tw task exec 'web/api[0]' -- env", "<%= config.bin %> tw task exec 'web/api[0]'"]

  async run(): Promise<void> {
    const { args, argv } = await this.start(TwTaskExec)
    const { execBeside } = await import('../../../cli/exec-beside.ts')
    process.exitCode = await execBeside(this.client, args.task, argv.slice(1))
    // Input that nobody reads any more would keep us.
    process.stdin.unref?.()
  }
}
