import { Args, MusterCommand } from '../cli/command.ts'
import { COMPLETION_SCRIPTS, SHELLS, type Shell } from '../cli/completion-scripts.ts'

export default class Completion extends MusterCommand {
  static override summary = 'Print the completion script of a shell.'
  static override description = 'It completes commands, flags and the names of jobs, tasks, nodes, services, rollouts and incidents.'
  static override args = { shell: Args.string({ required: true, description: 'which shell', options: [...SHELLS] }) }
  static override examples = [
    'source <(<%= config.bin %> completion bash)',
    '<%= config.bin %> completion fish | source',
    '<%= config.bin %> completion zsh',
  ]

  async run(): Promise<void> {
    const { args } = await this.start(Completion)
    const script = COMPLETION_SCRIPTS[args.shell as Shell]
    await this.answer('completion', { shell: args.shell, script }, () => script)
  }
}
