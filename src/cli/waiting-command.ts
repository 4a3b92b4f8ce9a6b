import { ChangeCommand, Flags, type OperationRef, type OutputOf } from './command.ts'
import { durationFlag } from './flags/time.ts'
import type { View } from './terminal.ts'
import { MusterError } from '../core/kernel/errors.ts'

/** How what a change began is waited for. */
export interface Waiting<Shown> {
  /** asked after every entry of tw */
  ask: { operation: string; input: object }
  isOver: (shown: Shown) => boolean
  /** over, and not as it should be: exit 1 */
  isBad: (shown: Shown) => boolean
  render: (shown: Shown, view: View) => string
  /** of the error when the time is over first */
  late: { message: string; hint: string }
}

/** A change that goes on for a while after it was accepted: adds `--wait` and `--timeout`. */
export abstract class WaitingCommand<Ref extends OperationRef, Shown> extends ChangeCommand<Ref> {
  static override baseFlags = {
    ...ChangeCommand.baseFlags,
    wait: Flags.boolean({ description: 'wait until it is over; exit 1 when it did not go well' }),
    timeout: Flags.string({ description: 'how long --wait waits', default: '30m' }),
  }

  abstract waiting(data: OutputOf<Ref>): Waiting<Shown>

  override async run(): Promise<void> {
    const command = this.constructor as typeof WaitingCommand
    const parsed = await this.start(command)
    const operation = command.operation as unknown as OperationRef<unknown, OutputOf<Ref>>
    const { wait, timeout } = parsed.flags as { wait?: boolean; timeout?: string }
    const timeoutMs = durationFlag('timeout', timeout ?? '30m')
    const done = await this.change(operation, await this.input(parsed as never), parsed.flags as never)
    if (done === null) return
    if (!wait) return this.answer(operation.name, done.data, (data, view) => this.render(data, view), done.warnings)
    const { waitUntil } = await import('./follow/tasks.ts')
    const { ask, isOver, isBad, render, late } = this.waiting(done.data)
    const signal = this.interrupted()
    const end = await waitUntil(this.client, () => this.client.call<Shown>(ask.operation, ask.input), isOver, { timeoutMs, signal })
    if (signal.aborted) return
    if (!end.isDone) throw new MusterError('WAIT_OVER', late.message, { hint: late.hint })
    await this.answer(ask.operation, end.data, render)
    if (isBad(end.data)) process.exitCode = 1
  }
}
