import type { OrderedLog } from '../../../core/contracts/ordered-log.ts'

export interface QuietLog extends OrderedLog {
  /** Runs `work` between two batches of this server; what is appended here meanwhile waits. */
  quiesce: <T>(work: () => Promise<T>) => Promise<T>
}

/** A log that can be made to wait: what is appended goes on in order when it is over. */
export function quietLog(log: OrderedLog): QuietLog {
  const pending = new Set<Promise<unknown>>()
  /** the last to have the log to itself; appends queue behind it, in order */
  let quiet: Promise<unknown> | null = null

  const append = async (batch: Uint8Array): Promise<number> => {
    const write = log.append(batch)
    pending.add(write)
    try {
      return await write
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
    onCommitted: (listener) => log.onCommitted(listener),
    readBarrier: () => log.readBarrier(),
    holdsReadLease: () => log.holdsReadLease(),
    role: () => log.role(),
    onRole: (listener) => log.onRole(listener),
    tail: () => log.tail(),
    head: () => log.head(),
    read: (from, max) => log.read(from, max),
    syncStats: () => log.syncStats(),
    trim: (position) => log.trim(position),
    baseAt: (position) => log.baseAt(position),
    install: (base) => log.install(base),
    onBehind: (listener) => log.onBehind(listener),
    close: () => log.close(),
  }
}
