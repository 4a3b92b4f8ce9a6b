import { KV_ERRORS } from '../../../core/delos/kv/errors.ts'
import { ALARM_TYPE } from '../../../core/delos/wire/messages.ts'
import type { RpcError } from '../../../core/delos/wire/service.ts'
import type { Logger } from '../../../platform/logger.ts'
import { exchangeDigests, type DigestExchangeOptions } from './digest-exchange.ts'
import type { Replica } from './replica.ts'

export interface RowDigestsOptions extends Pick<DigestExchangeOptions, 'aside' | 'self' | 'servers' | 'every'> {
  replica: Replica
  logger: Logger
  /** The rows of this server are not to be used any more: it serves nothing from now on, and its next start makes them anew. */
  onUnfit: (reason: string) => void
}

export interface RowDigests {
  /** Null: this server serves. */
  refusal(): RpcError | null
  /** Why it does not, for people. */
  reason(): string | null
  stop(): void
}

const LOOK_MS = 1000

/**
 * Compares this server's rows with the others'. Whoever differs from a majority stops serving and raises the alarm CORRUPT for itself; when there
 * is no majority, all do. The alarm goes when the rows that were made anew agree.
 */
export function compareRows({ replica, logger, onUnfit, self, ...shared }: RowDigestsOptions): RowDigests {
  let reason: string | null = null
  let isAsking = false

  const exchange = exchangeDigests({
    ...shared,
    self,
    topic: 'kv.digests',
    without: () => replica.skipped.join(),
    onDifference: (verdict) => {
      if (reason !== null) return
      reason =
        verdict.kind === 'odd'
          ? `the rows of this server differ from those of a majority (digest ${verdict.mine} at position ${verdict.position}, theirs ${verdict.theirs})`
          : `no two servers of a majority have the same rows at position ${verdict.position}`
      logger.error(`${reason}; it serves no more, and makes its rows anew from the log when it is started again`, {})
      onUnfit(reason)
      look()
    },
  })

  /** What is to be said in the log, until it is there. */
  const look = (): void => {
    const isRaised = replica.store.alarms(ALARM_TYPE.corrupt).some(({ memberID }) => memberID === self)
    const isWrong = reason !== null
    if (isAsking || isRaised === isWrong) return
    // One that a person raised stands until a person takes it back.
    if (!isWrong && (exchange.agreedPosition() === 0 || replica.store.isCorrupt)) return
    isAsking = true
    const action = isWrong ? 'raise' : 'clear'
    replica.submit({ kind: 'alarm', action, memberId: self, type: ALARM_TYPE.corrupt, who: null }, null, (error) => {
      isAsking = false
      if (error === null) logger.warn(`the alarm CORRUPT was ${isWrong ? 'raised' : 'cleared'}`, { member: self.toString(16) })
    })
  }

  const stopApplied = replica.onApplied((position) => {
    if (exchange.isMark(position)) exchange.applied(position, replica.store.digest)
  })
  const timer = setInterval(look, LOOK_MS)
  timer.unref()

  return {
    refusal: () => (reason === null ? null : KV_ERRORS.corrupt),
    reason: () => reason,
    stop: () => {
      clearInterval(timer)
      stopApplied()
    },
  }
}
