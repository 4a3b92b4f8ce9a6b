import { Args, defined, Flags, WatchQueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderTasks } from '../../cli/render/tw-tasks.ts'
import { MusterError } from '../../core/kernel/errors.ts'

const operation = remote('tw.ps', async () => (await import('../../core/tw/operations.ts')).ps)

export default class TwPs extends WatchQueryCommand<typeof operation> {
  static override operation = operation
  static override watches = ['tw.']
  static override summary = 'List tasks and where they run.'
  static override args = { job: Args.string({ description: 'only tasks of this job, JOB/GROUP or JOB/GROUP[INDEX]' }) }
  static override flags = {
    all: Flags.boolean({ char: 'a', description: 'also finished ones' }),
    node: Flags.string({ description: 'only tasks on this node', helpValue: 'NAME' }),
    state: Flags.string({
      description: 'only tasks in this state',
      options: ['placed', 'starting', 'running', 'stopping', 'unknown', 'stopped', 'complete', 'failed', 'lost'],
    }),
    label: Flags.string({ char: 'l', description: 'only tasks with this label', multiple: true, helpValue: 'KEY=VALUE' }),
    limit: Flags.integer({ description: 'most tasks of one answer', min: 1, max: 10_000, helpValue: 'N' }),
    after: Flags.string({ description: 'the page behind this one, as the answer before names it', helpValue: 'CURSOR' }),
  }
  static override examples = [
    '<%= config.bin %> tw ps',
    '<%= config.bin %> tw ps web -o wide',
    '<%= config.bin %> tw ps --node n2 --all',
    '<%= config.bin %> tw ps -l region=eu',
  ]

  input({ args, flags }: Parsed<typeof TwPs>): InputOf<typeof operation> {
    const { node, state, limit, after } = flags
    return defined({ job: args.job, isAll: flags.all ?? false, node, state, labels: labelsOf(flags.label), limit, after })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderTasks(view, data)
  }
}

function labelsOf(pairs: readonly string[] | undefined): Record<string, string> | undefined {
  if (!pairs?.length) return undefined
  return Object.fromEntries(
    pairs.map((pair) => {
      const cut = pair.indexOf('=')
      if (cut <= 0) throw new MusterError('USAGE', `-l "${pair}" is not of the form KEY=VALUE`)
      return [pair.slice(0, cut), pair.slice(cut + 1)]
    }),
  )
}
