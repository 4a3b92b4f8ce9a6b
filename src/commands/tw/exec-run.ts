import { ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { MusterError } from '../../core/kernel/errors.ts'

const operation = remote('tw.job.run', async () => (await import('../../core/tw/operations.ts')).jobRun)

export default class TwExecRun extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Run one command as a job, without a job file.'
  static override description = 'By default a batch job: done once every task exited with 0. With --kind service it is kept running.'
  static override strict = false
  static override flags = {
    name: Flags.string({ description: 'name of the job; without it, that of the program' }),
    kind: Flags.string({ description: 'run to the end, or keep running', options: ['batch', 'service'], default: 'batch' }),
    cpu: Flags.string({ description: 'cpu of each task', default: '100m' }),
    memory: Flags.string({ description: 'memory of each task', default: '128MiB' }),
    count: Flags.integer({ description: 'how many tasks', default: 1, min: 1 }),
    reason: Flags.string({ description: 'why, for the log', default: '' }),
  }
  static override examples = [
    '<%= config.bin %> tw exec-run --name hello -- echo hello',
    '<%= config.bin %> tw exec-run --name crunch --count 4 --cpu 1 --memory 1GiB -- ./crunch --all',
  ]

  input({ flags, argv }: Parsed<typeof TwExecRun> & { argv?: unknown[] }): InputOf<typeof operation> {
    const command = (argv ?? []).map(String)
    const [program] = command
    if (program === undefined)
      throw new MusterError('USAGE', 'no command is given', { hint: 'Write it behind --: `muster tw exec-run -- echo hello`' })
    const job = flags.name ?? nameOf(program)
    const resources = { cpu: flags.cpu ?? '100m', memory: flags.memory ?? '128MiB' }
    const groups = { main: { count: flags.count ?? 1, main: { command, resources } } }
    return { spec: { job, kind: flags.kind ?? 'batch', groups }, reason: flags.reason ?? '' }
  }

  render(data: OutputOf<typeof operation>, _view: View): string {
    const next = `see it with \`muster tw ps ${data.job} --all\` and \`muster tw logs ${data.job}\``
    return data.isChanged ? `${data.job} version ${data.version} runs; ${next}` : `${data.job} runs exactly so already; ${next}`
  }
}

/** `/usr/bin/My_Tool.sh` → `my-tool-sh` */
function nameOf(program: string): string {
  const name = (program.split('/').at(-1) ?? '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 63)
  if (name === '') throw new MusterError('USAGE', `"${program}" gives no name for a job`, { hint: 'Give one with --name.' })
  return name
}
