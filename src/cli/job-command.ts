import { ChangeCommand, Flags, type OperationRef, type OutputOf } from './command.ts'
import { durationFlag } from './flags/time.ts'

const TIMEOUT = '10m'

/** A change after which a version of a job runs: adds `--wait` and `--timeout`. */
export abstract class JobCommand<Ref extends OperationRef> extends ChangeCommand<Ref> {
  static override baseFlags = {
    ...ChangeCommand.baseFlags,
    wait: Flags.boolean({ description: 'wait until every task is healthy and no old one is left; a batch job: until it is complete' }),
    timeout: Flags.string({ description: 'how long --wait waits', default: TIMEOUT }),
  }

  /** What is waited for. */
  abstract awaited(data: OutputOf<Ref>): { job: string; version: number }

  override async run(): Promise<void> {
    const command = this.constructor as typeof JobCommand
    const parsed = await this.start(command)
    const operation = command.operation as unknown as OperationRef<unknown, OutputOf<Ref>>
    const timeoutMs = this.waitMs(parsed.flags)
    const done = await this.change(operation, await this.input(parsed as never), parsed.flags as never)
    if (done === null) return
    if (timeoutMs !== null) await this.waitForJob(done.data, timeoutMs)
    await this.answer(operation.name, done.data, (data, view) => this.render(data, view), done.warnings)
  }

  /** How long to wait, in ms; null: not at all. */
  protected waitMs(flags: object): number | null {
    const { wait, timeout } = flags as { wait?: boolean; timeout?: string }
    const ms = durationFlag('timeout', timeout ?? TIMEOUT)
    return wait ? ms : null
  }

  /** Waits until it is as wanted, telling how far it is; null when that was broken off. */
  protected async waitForJob(data: OutputOf<Ref>, timeoutMs: number): Promise<'up' | 'complete' | null> {
    const { waitForJob } = await import('./follow/job-wait.ts')
    return waitForJob(this.client, this.awaited(data), timeoutMs, this.interrupted(), (text) => {
      if (!this.isMachine) this.note(text)
    })
  }
}
