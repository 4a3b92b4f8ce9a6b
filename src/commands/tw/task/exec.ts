import { Args, MusterCommand } from '../../../cli/command.ts'

interface Entrance {
  argv: string[]
  env: Record<string, string>
  cwd: string
  isHere: boolean
}

export default class TwTaskExec extends MusterCommand {
  static override summary = 'Run a command beside a task: its namespaces, environment and folder.'
  static override description =
    'Terminal, window size and exit code are those of the command itself. A terminal on another machine needs the program script there.'
  static override strict = false
  static override args = { task: Args.string({ description: 'JOB/GROUP[INDEX], or the id of a task', required: true }) }
  static override examples = ["<%= config.bin %> tw task exec 'web/api[0]' -- env", "<%= config.bin %> tw task exec 'web/api[0]'"]

  async run(): Promise<void> {
    const { args, argv } = await this.start(TwTaskExec)
    const words = argv.slice(1)
    const { data } = await this.client.call<Entrance>('tw.task.exec', { task: args.task })
    if (!data.isHere || this.client.target.socketPath === undefined) {
      const { execRemotely } = await import('../../../cli/remote-exec.ts')
      process.exitCode = await execRemotely(this.client, args.task, words)
      // Input that nobody reads any more would keep us.
      process.stdin.unref?.()
      return
    }
    const command = [...data.argv, ...(words.length > 0 ? words : ['/bin/sh'])]
    process.exitCode = await runBeside(command, data)
  }
}

const GRACE_MS = 5000

/** Runs a command on this terminal and gives its exit code, 128 + n after a signal, as a shell does. */
async function runBeside(argv: readonly string[], entrance: Entrance): Promise<number> {
  const { startCommand } = await import('../../../cli/child-command.ts')
  const env = { ...entrance.env, ...(process.env['TERM'] ? { TERM: process.env['TERM'] } : {}) }
  const command = startCommand(argv, { env, cwd: entrance.cwd, graceMs: GRACE_MS })
  // A terminal's Ctrl-C is for the command: we wait for what it makes of it.
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, command.interrupt)
  try {
    return await command.ended
  } finally {
    for (const signal of signals) process.off(signal, command.interrupt)
  }
}
