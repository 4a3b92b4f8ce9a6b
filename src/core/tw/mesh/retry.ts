/** Why a try failed before a byte of its answer reached the caller. */
export type TryFailure =
  /** no connection: nothing was sent */
  | 'connect'
  /** the connection ended before a response byte */
  | 'reset'
  /** no response head in the time of a try */
  | 'timeout'
  /** the endpoint answered 503, without the mark of another proxy */
  | 'unavailable'

const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

/** Longest request body that is kept for another try. */
export const REPLAY_MAX_BYTES = 64 * 1024

export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.has(method)
}

/**
 * Whether a failed try may be made again at all; limits and the budget come on top. A connect failure sent nothing, so
 * it may be for every method.
 * @param isReplayable the whole body read so far is still there
 */
export function mayRetry(method: string, failure: TryFailure, isReplayable: boolean): boolean {
  return isReplayable && (failure === 'connect' || isIdempotent(method))
}

/** Wait before try `n` (1 = the first retry): full jitter over 25 ms × 2^(n-1). */
export function backoffMs(n: number, random: () => number): number {
  return random() * 25 * 2 ** (n - 1)
}

const SLOTS = 10
const SLOT_MS = 1000
const RETRIES_PER_SECOND_MIN = 10

/** Requests and retries of a service in the last ten seconds, by second. */
export interface RetryBudget {
  requests: number[]
  retries: number[]
  /** number of the newest second */
  second: number
}

export function createBudget(): RetryBudget {
  return { requests: new Array<number>(SLOTS).fill(0), retries: new Array<number>(SLOTS).fill(0), second: 0 }
}

function turn(budget: RetryBudget, nowMs: number): number {
  const second = Math.floor(nowMs / SLOT_MS)
  if (second > budget.second) {
    const stale = Math.min(second - budget.second, SLOTS)
    for (let i = 1; i <= stale; i += 1) {
      const slot = (second - stale + i) % SLOTS
      budget.requests[slot] = 0
      budget.retries[slot] = 0
    }
    budget.second = second
  }
  return budget.second % SLOTS
}

export function countRequest(budget: RetryBudget, nowMs: number): void {
  const slot = turn(budget, nowMs)
  budget.requests[slot] = (budget.requests[slot] ?? 0) + 1
}

/** Takes one retry out of the budget; false when it is spent. Always at least ten a second are allowed. */
export function takeRetry(budget: RetryBudget, nowMs: number, shareOfRequests: number): boolean {
  const slot = turn(budget, nowMs)
  const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)
  const allowed = Math.max((sum(budget.requests) * shareOfRequests) / 1_000_000, RETRIES_PER_SECOND_MIN * SLOTS)
  if (sum(budget.retries) + 1 > allowed) return false
  budget.retries[slot] = (budget.retries[slot] ?? 0) + 1
  return true
}
