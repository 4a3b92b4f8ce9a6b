import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { count } from '../../cli/render/text.ts'
import { durationFlag } from '../../cli/flags/time.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import type { NodeView } from '../../core/tw/queries.ts'

const operation = remote('tw.drain.start', async () => (await import('../../core/tw/operations.ts')).nodeDrain)

export default class TwDrain extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Move everything off a node, within the budgets of its groups.'
  static override description =
    'The node takes nothing new and stays so until `muster tw undrain`. Refused when what runs there fits nowhere else.'
  static override args = { node: Args.string({ description: 'the node', required: true }) }
  static override flags = {
    deadline: Flags.string({ description: 'what is left by then is stopped without regard for budgets', helpValue: '10m' }),
    force: Flags.boolean({ description: 'start although not everything fits elsewhere' }),
    reason: Flags.string({ description: 'why, for the log', default: '', aliases: ['note'] }),
    wait: Flags.boolean({ description: 'wait until every process there is gone' }),
    timeout: Flags.string({ description: 'how long --wait waits', default: '10m' }),
  }
  static override examples = [
    '<%= config.bin %> tw drain n2 --yes --wait',
    '<%= config.bin %> tw drain n2 --plan',
    '<%= config.bin %> tw drain n2 --deadline 5m --reason "new disk"',
  ]

  input({ args, flags }: Parsed<typeof TwDrain>): InputOf<typeof operation> {
    return {
      node: args.node ?? '',
      deadlineMs: flags.deadline === undefined ? null : durationFlag('deadline', flags.deadline),
      force: flags.force ?? false,
      reason: flags.reason ?? '',
    }
  }

  render(data: OutputOf<typeof operation>, _view: View): string {
    return data.isChanged
      ? `drain of ${data.node} started: ${count(data.tasks.length, 'task')} to move`
      : `${data.node} is being drained already`
  }

  override async run(): Promise<void> {
    const parsed = await this.start(TwDrain)
    const { flags } = parsed
    const timeoutMs = durationFlag('timeout', flags.timeout ?? '10m')
    const done = await this.change(operation, this.input(parsed), flags as never)
    if (done === null) return
    if (flags.wait) {
      const { waitUntil } = await import('../../cli/follow/tasks.ts')
      const ask = () => this.client.call<{ node: NodeView; tasks: readonly { task: string }[] }>('tw.node.show', { node: done.data.node })
      const signal = this.interrupted()
      const end = await waitUntil(this.client, ask, (data) => data.node.drain === 'drained', { timeoutMs, signal })
      if (signal.aborted) return
      if (!end.isDone)
        throw new MusterError(
          'TIMEOUT',
          `${done.data.node} is not drained yet: ${end.data.tasks.map((task) => task.task).join(', ')} still there`,
          { hint: 'Ask why with `muster tw explain JOB`.' },
        )
    }
    await this.answer(
      operation.name,
      done.data,
      (data, view) => (flags.wait ? `${data.node} is drained` : this.render(data, view)),
      done.warnings,
    )
  }
}
