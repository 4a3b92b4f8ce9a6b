import type { OrderedLog } from '../../../core/contracts/ordered-log.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import type { FileLoglet } from '../file-loglet.ts'

export interface SingleLog extends OrderedLog {
  /** Runs `work` between two batches; what is appended meanwhile waits. */
  quiesce: <T>(work: () => Promise<T>) => Promise<T>
}

/**
 * The log of a lone server: a file loglet, and nobody to ask.
 * @param onFatal its disk failed: nothing can be acknowledged any more
 */
export function openSingleLog(loglet: FileLoglet, serverId: bigint, onFatal: (error: MusterError) => void): SingleLog {
  const listeners: ((position: number, batch: Uint8Array) => void)[] = []
  const role = { isLeader: true, leader: serverId, term: 1 }
  const pending = new Set<Promise<unknown>>()
  /** the last to have the log to itself; appends queue behind it, in order */
  let quiet: Promise<unknown> | null = null

  const append = async (batch: Uint8Array): Promise<number> => {
    const write = loglet.append([batch]).catch((error: unknown) => {
      if (loglet.failure !== null) onFatal(loglet.failure)
      throw error
    })
    pending.add(write)
    try {
      // Appends resolve in the order of their positions, so listeners see them in order.
      const position = await write
      for (const listener of listeners) listener(position, batch)
      return position
    } finally {
      pending.delete(write)
    }
  }

  return {
    append: (batch) => (quiet === null ? append(batch) : quiet.then(() => append(batch))),
    quiesce: async (work) => {
      const before = quiet
      const mine = (async () => {
        await before
        await Promise.allSettled(pending)
        return work()
      })()
      const over = mine.then(
        () => undefined,
        () => undefined,
      )
      quiet = over
      try {
        return await mine
      } finally {
        if (quiet === over) quiet = null
      }
    },
    onCommitted: (listener) => void listeners.push(listener),
    readBarrier: async () => {},
    holdsReadLease: () => true,
    role: () => role,
    onRole: () => () => {},
    tail: () => loglet.checkTail(),
    head: () => loglet.head(),
    read: (from, max) => loglet.readNext(from, max),
    syncStats: () => {
      const { syncP50Ms, syncP99Ms } = loglet.stats()
      return { p50Ms: syncP50Ms, p99Ms: syncP99Ms }
    },
    trim: (position) => loglet.prefixTrim(position),
    baseAt: (position) =>
      position + 1 >= loglet.head() && position < loglet.checkTail() ? { position: position + 1, loglet: 0, slot: 0 } : null,
    install: () => Promise.reject(new MusterError('UNAVAILABLE', 'A lone server has nobody to get a snapshot from.')),
    onBehind: () => () => {},
    close: () => loglet.close(),
  }
}
