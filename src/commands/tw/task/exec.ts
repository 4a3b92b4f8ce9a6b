import { Args, MusterCommand } from '../../../cli/command.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

interface Entrance {
  argv: string[]
  env: Record<string, string>
  cwd: string
}

export default class TwTaskExec extends MusterCommand {
  static override summary = 'Run a command beside a task: its namespaces, environment and folder.'
  static override description = 'Terminal, window size and exit code are those of the command itself. Only for nodes of this machine.'
  static override strict = false
  static override args = { task: Args.string({ description: 'JOB/GROUP[INDEX], or the id of a task', required: true }) }
  static override examples = ["<%= config.bin %> tw task exec 'web/api[0]' -- env", "<%= config.bin %> tw task exec 'web/api[0]'"]

  async run(): Promise<void> {
    const { args, argv } = await this.start(TwTaskExec)
    const words = argv.slice(1)
    const { data } = await this.client.call<Entrance>('tw.task.exec', { task: args.task })
    const [command, ...rest] = [...data.argv, ...(words.length > 0 ? words : ['/bin/sh'])]
    if (command === undefined) throw new MusterError('USAGE', 'which command?')
    process.exitCode = await runInherited(command, rest, data)
  }
}

/** Runs a command on this terminal and gives its exit code, 128 + n after a signal, as a shell does. */
async function runInherited(command: string, args: readonly string[], entrance: Entrance): Promise<number> {
  const { spawn } = await import('node:child_process')
  const { constants } = await import('node:os')
  const env = { ...entrance.env, ...(process.env['TERM'] ? { TERM: process.env['TERM'] } : {}) }
  const child = spawn(command, args, { stdio: 'inherit', env, cwd: entrance.cwd })
  // The terminal sends Ctrl-C to the whole group; it is for the command, and we wait for what it makes of it.
  const ignore = (): void => {}
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal)
  process.on('SIGINT', ignore)
  process.on('SIGTERM', forward)
  try {
    return await new Promise<number>((resolve, reject) => {
      child.on('error', (cause: NodeJS.ErrnoException) =>
        reject(new MusterError('UNAVAILABLE', cause.code === 'ENOENT' ? `there is no program ${command}` : cause.message, { cause })),
      )
      child.on('close', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
    })
  } finally {
    process.off('SIGINT', ignore)
    process.off('SIGTERM', forward)
  }
}
