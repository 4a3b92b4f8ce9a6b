import type { MusterError } from '../../core/kernel/errors.ts'
import { startCommand } from '../child-command.ts'
import type { Interrupt } from './interrupt.ts'

export interface UnderLease {
  command: readonly string[]
  env: NodeJS.ProcessEnv
  /** time the command has to end before the lease can */
  graceMs: number
  /** `signal` is aborted when what the lease keeps cannot be trusted any longer; `endsAt` on the clock of `performance.now()` */
  lease: { signal: AbortSignal; endsAt: () => number }
  interrupt: Interrupt
  onLost: () => void
  lost: () => MusterError
}

/**
 * Runs a command that has to end before a lease can; gives its exit code, 128 + n after a signal of the user's. Rejects with
 * `lost()` when it had to be stopped.
 */
export async function runUnderLease({ command, env, graceMs, lease, interrupt, ...told }: UnderLease): Promise<number> {
  // Without us nobody keeps its lease.
  const child = startCommand(command, { env, graceMs })
  let isLost = false
  const onLost = (): void => {
    isLost = true
    told.onLost()
    // The lease may end when the grace is over: shortly before, nothing of the command runs any more.
    void child.stop('SIGTERM', Math.max(0, lease.endsAt() - performance.now() - graceMs / 5))
  }
  const onInterrupt = (): void => child.interrupt(interrupt.reason() ?? 'SIGTERM')
  if (lease.signal.aborted) onLost()
  lease.signal.addEventListener('abort', onLost, { once: true })
  interrupt.signal.addEventListener('abort', onInterrupt, { once: true })
  const code = await child.ended
  lease.signal.removeEventListener('abort', onLost)
  if (isLost) throw told.lost()
  return interrupt.signal.aborted ? interrupt.exitCode() : code
}
