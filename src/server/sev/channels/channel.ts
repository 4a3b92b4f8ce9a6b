import type { DeliverBody } from '../../../core/sev/controllers/dispatcher.ts'
import type { Logger } from '../../../platform/logger.ts'
import type { StatePaths } from '../../../platform/paths.ts'

/** A channel has so long for one attempt. */
export const ATTEMPT_MS_MAX = 10_000

export interface ChannelHost {
  paths: StatePaths
  log: Logger
}

/** `isPermanent`: trying again the same way is pointless, the next contact's turn has come. */
export type Outcome = { isOk: true; detail: string } | { isOk: false; error: string; isPermanent: boolean }

/** One attempt over one channel. Bears being run again with the same key; rejects only with bugs. `signal` ends it after its time. */
export type Channel = (delivery: DeliverBody, host: ChannelHost, signal: AbortSignal) => Promise<Outcome>

export const sent = (detail: string): Outcome => ({ isOk: true, detail })

export const failed = (error: string, isPermanent = false): Outcome => ({ isOk: false, error: error.slice(0, 300), isPermanent })

/** What an exception says, in one line, without addresses that may carry a token. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'failed'
  const cause = error.cause instanceof Error ? error.cause : error
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return `no answer in ${ATTEMPT_MS_MAX / 1000} s`
  const code = (cause as NodeJS.ErrnoException).code
  return code === undefined ? (cause.message.split('\n')[0] ?? 'failed') : code
}
