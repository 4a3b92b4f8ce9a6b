import { DigestComparison, MARK_EVERY, type DigestMark } from '../../../core/delos/engines/digest-comparison.ts'
import { KV_ERRORS } from '../../../core/delos/kv/errors.ts'
import { ALARM_TYPE } from '../../../core/delos/wire/messages.ts'
import type { RpcError } from '../../../core/delos/wire/service.ts'
import type { Logger } from '../../../platform/logger.ts'
import type { Replica } from './replica.ts'

/** What servers tell each other beside the log (`serve/aside.ts`). */
interface Aside {
  announce(what: string, body: () => unknown): void
  onTell(what: string, listener: (body: never) => void): void
}

export interface DigestExchangeOptions {
  replica: Replica
  aside: Aside
  self: bigint
  /** how many servers have a copy, this one among them */
  servers: () => number
  logger: Logger
  /** The rows of this server are not to be used any more: it serves nothing from now on, and its next start makes them anew. */
  onUnfit: (reason: string) => void
  /** positions between two comparisons */
  every?: number
}

export interface DigestExchange {
  /** Null: this server serves. */
  refusal(): RpcError | null
  /** Why it does not, for people. */
  reason(): string | null
  stop(): void
}

const MARKS = 'kv.digests'
const LOOK_MS = 1000

/**
 * Compares this server's rows with the others' at every 1,000th position (delos, 3.7). Whoever differs from a majority stops serving and
 * raises the alarm CORRUPT for itself; when there is no majority, all do. The alarm goes when the rows that were made anew agree.
 */
export function exchangeDigests(options: DigestExchangeOptions): DigestExchange {
  const { replica, aside, self, servers, logger } = options
  const comparison = new DigestComparison(servers, options.every ?? MARK_EVERY)
  let reason: string | null = null
  let isAsking = false

  const refusal = (): RpcError | null => (reason === null ? null : KV_ERRORS.corrupt)

  const judge = (): void => {
    const { verdict } = comparison
    if (reason !== null || verdict.kind === 'fine') return
    reason =
      verdict.kind === 'odd'
        ? `the rows of this server differ from those of a majority (digest ${verdict.mine} at position ${verdict.position}, theirs ${verdict.theirs})`
        : `no two servers of a majority have the same rows at position ${verdict.position}`
    logger.error(`${reason}; it serves no more, and makes its rows anew from the log when it is started again`, {})
    options.onUnfit(reason)
    look()
  }

  /** What is to be said in the log, until it is there. */
  const look = (): void => {
    const isRaised = replica.store.alarms(ALARM_TYPE.corrupt).some(({ memberID }) => memberID === self)
    const isWrong = reason !== null
    if (isAsking || isRaised === isWrong) return
    // One that a person raised stands until a person takes it back.
    if (!isWrong && (comparison.agreedPosition() === 0 || replica.store.isCorrupt)) return
    isAsking = true
    const action = isWrong ? 'raise' : 'clear'
    replica.submit({ kind: 'alarm', action, memberId: self, type: ALARM_TYPE.corrupt, who: null }, null, (error) => {
      isAsking = false
      if (error === null) logger.warn(`the alarm CORRUPT was ${isWrong ? 'raised' : 'cleared'}`, { member: self.toString(16) })
    })
  }

  const stopApplied = replica.onApplied((position) => {
    if (!comparison.isMark(position)) return
    comparison.applied(position, replica.store.digest)
    judge()
  })
  /** Rows without a position that is skipped differ from those with it, and neither is damaged. */
  let skipped = replica.skipped
  const without = (): string => {
    if (replica.skipped !== skipped) comparison.forgetOthers()
    skipped = replica.skipped
    return skipped.join()
  }
  aside.announce(MARKS, () => ({ id: self.toString(), marks: comparison.marks(), without: without() }))
  aside.onTell(MARKS, ({ id, marks, without: theirs = '' }: { id: string; marks: DigestMark[]; without?: string }) => {
    if (theirs !== without()) return
    comparison.heard(id, marks)
    judge()
  })
  const timer = setInterval(look, LOOK_MS)
  timer.unref()

  return {
    refusal,
    reason: () => reason,
    stop: () => {
      clearInterval(timer)
      stopApplied()
    },
  }
}
