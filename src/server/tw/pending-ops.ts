import { askedGroup } from '../../core/tw/operations.ts'
import { consentRequest, type ConsentRequest } from '../../core/tw/queries.ts'
import { isRefusal, refuse } from '../../core/kernel/errors.ts'
import type { ActionContext, ServerHost } from '../host.ts'

export interface PendingAsked {
  job?: string | undefined
  group?: string | undefined
  waitMs: number
}

/** Answers `tw.op.pending`: at once when something waits for the application, else when it does, or after `waitMs` with what there is. */
export async function pendingOps(host: ServerHost, asked: PendingAsked, { actor, signal }: ActionContext): Promise<ConsentRequest> {
  const of = askedGroup(host.db, asked, actor)
  if (isRefusal(of)) throw of
  const deadline = performance.now() + asked.waitMs
  for (;;) {
    const request = consentRequest(host.db, of.job, of.group, host.now())
    if (request === null) throw refuse('NOT_FOUND', `the job ${of.job} wants no tasks of a group ${of.group}`)
    const isDue = request.budget.left > 0 && request.pending.some((op) => op.delayed === null && !op.allowed)
    const leftMs = deadline - performance.now()
    if (isDue || leftMs <= 0 || signal.aborted) return request
    await nextChange(host, Math.min(leftMs, 1000), signal)
  }
}

/** Something of tw changed, or so much time has passed: budgets grow by time alone. */
function nextChange(host: ServerHost, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      unlisten()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    const unlisten = host.onEntries((entries) => {
      if (entries.some((entry) => entry.type.startsWith('tw.'))) done()
    })
    signal.addEventListener('abort', done)
  })
}
