import type { LogletEntry } from '../../../core/contracts/loglet.ts'
import type { BatchListener } from '../../../core/contracts/stretch.ts'

const RETRY_MS = 200

/**
 * The part of a log that lies in a loglet of other servers: a server that came later asks them for it, batch by batch.
 * @param read batches from a position on, from whoever has them; null: nobody gave any
 */
export function followRemote(
  from: number,
  end: number,
  read: (from: number) => Promise<LogletEntry[] | null>,
  listener: BatchListener,
): () => void {
  let isOver = false
  let next = from
  void (async () => {
    while (!isOver && next < end) {
      const entries = await read(next)
      if (entries === null || entries.length === 0) {
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref())
        continue
      }
      for (const { position, payload } of entries) {
        if (isOver || position !== next || position >= end) break
        next = position + 1
        listener(position, payload)
      }
    }
  })()
  return () => {
    isOver = true
  }
}
