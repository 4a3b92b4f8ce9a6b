import type { OrderedLog } from '../../../core/contracts/ordered-log.ts'
import type { FileLoglet } from '../file-loglet.ts'

/** The log of a lone server: a file loglet, and nobody to ask. */
export function openSingleLog(loglet: FileLoglet, serverId: bigint): OrderedLog {
  const listeners: ((position: number, batch: Uint8Array) => void)[] = []
  const role = { isLeader: true, leader: serverId, term: 1 }
  return {
    append: async (batch) => {
      // Appends resolve in the order of their positions, so listeners see them in order.
      const position = await loglet.append([batch])
      for (const listener of listeners) listener(position, batch)
      return position
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
    close: () => loglet.close(),
  }
}
