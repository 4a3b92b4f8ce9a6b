import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderLeft } from '../../cli/render/tw-ops.ts'
import { count } from '../../cli/render/text.ts'
import { durationFlag } from '../../cli/flags/time.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import type { DrainStatus } from '../../core/tw/queries.ts'

const operation = remote('tw.drain.start', async () => (await import('../../core/tw/operations.ts')).nodeDrain)

export default class TwDrain extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Move everything off nodes, within the budgets of the groups and with the consent of the applications.'
  static override description = [
    'The nodes take nothing new and stay so until `muster tw undrain`. Refused when what runs there fits nowhere else.',
    'A drain is complete when every process there is gone. Typed again, it says what is left and what each task waits for; --deadline and --hard then count from now.',
  ].join('\n')
  static override args = { target: Args.string({ description: 'a node, rack:R, zone:Z, region:R or label:K=V', required: true }) }
  static override flags = {
    deadline: Flags.string({ description: 'by then it should be over; later it is called overdue', helpValue: '10m' }),
    hard: Flags.boolean({ description: 'at the deadline, or at once, stop what is left whatever budget and application say' }),
    'ignore-system': Flags.boolean({ description: 'leave tasks of system jobs where they are' }),
    force: Flags.boolean({ description: 'start although not everything fits elsewhere' }),
    note: Flags.string({ description: 'why, for the log', default: '', aliases: ['reason'] }),
    wait: Flags.boolean({ description: 'wait until every process there is gone' }),
    timeout: Flags.string({ description: 'how long --wait waits', default: '10m' }),
  }
  static override examples = [
    '<%= config.bin %> tw drain n2 --yes --wait',
    '<%= config.bin %> tw drain n2 --plan',
    '<%= config.bin %> tw drain rack:r1-a-1 --deadline 5m --hard --note "new switch"',
  ]

  input({ args, flags }: Parsed<typeof TwDrain>): InputOf<typeof operation> {
    return {
      target: args.target ?? '',
      deadlineMs: flags.deadline === undefined ? null : durationFlag('deadline', flags.deadline),
      isHard: flags.hard ?? false,
      ignoresSystem: flags['ignore-system'] ?? false,
      force: flags.force ?? false,
      reason: flags.note ?? '',
    }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    const head = data.isChanged
      ? `drain of ${data.nodes.join(', ')} started: ${count(data.left.length, 'task')} to move`
      : `${data.nodes.join(', ')} ${data.nodes.length === 1 ? 'is' : 'are'} being drained already, or drained: ${count(data.left.length, 'task')} left`
    return data.isChanged || data.left.length === 0 ? head : `${head}\n${renderLeft(view, data.left)}`
  }

  /** What stands on the nodes now; a plan that leaves some of it without a place is refused, or warns. */
  protected override async picture({ target, force }: InputOf<typeof operation>): Promise<string> {
    const { nodes, left } = (await this.client.call<DrainStatus>('tw.drain.show', { target })).data
    if (left.length === 0) return `Nothing is on ${nodes.join(', ')}.`
    const fit = force ? '' : ', and room elsewhere for all that move'
    return `${count(left.length, 'task')} on ${nodes.join(', ')}${fit}:\n${renderLeft(this.view, left)}`
  }

  override async run(): Promise<void> {
    const parsed = await this.start(TwDrain)
    const { flags } = parsed
    const timeoutMs = durationFlag('timeout', flags.timeout ?? '10m')
    const done = await this.change(operation, this.input(parsed), flags as never)
    if (done === null) return
    if (flags.wait) {
      const { waitUntil } = await import('../../cli/follow/tasks.ts')
      const ask = () => this.client.call<DrainStatus>('tw.drain.show', { target: done.data.target })
      const signal = this.interrupted()
      const end = await waitUntil(this.client, ask, (data) => data.isDrained, { timeoutMs, signal })
      if (signal.aborted) return
      if (!end.isDone)
        throw new MusterError(
          'WAIT_OVER',
          `${done.data.target} is not drained yet:\n${end.data.left.map((it) => `  ${it.task} on ${it.node} waits for ${it.waitsFor}`).join('\n')}`,
          { hint: 'See its ops with `muster tw op ls`; a hard drain forces them: `muster tw op force OP`.' },
        )
    }
    await this.answer(
      operation.name,
      done.data,
      (data, view) => (flags.wait ? `${data.nodes.join(', ')} ${data.nodes.length === 1 ? 'is' : 'are'} drained` : this.render(data, view)),
      done.warnings,
    )
  }
}
