import { createHash } from 'node:crypto'
import type { OrderedLog } from '../../../core/contracts/ordered-log.ts'
import type { LogReading } from '../../../core/delos/log/compare.ts'
import { isRefusal } from '../../../core/kernel/errors.ts'

const SLICE_MAX = 64

/** Reads positions `from` to `to` of this server's log, as far as it keeps them, a slice between other work, with a digest of each `step` of them. */
export async function readLog(
  log: OrderedLog,
  server: string,
  { from, to, step }: { from: number; to: number; step: number },
): Promise<LogReading> {
  const reading: LogReading = { server, head: log.head(), tail: log.tail(), stretches: [], bad: null }
  const end = Math.min(to, reading.tail - 1)
  // Whole stretches only: those that others have too begin at the same positions.
  for (let at = from; at <= end; at += step) {
    const last = Math.min(at + step - 1, end)
    if (at < reading.head) continue
    const hash = createHash('sha256')
    for (let next = at; next <= last;) {
      try {
        const entries = log.read(next, Math.min(SLICE_MAX, last - next + 1))
        if (entries.length === 0) return { ...reading, bad: { position: next, kind: 'missing', reason: 'this server has no copy of it' } }
        for (const { position, payload } of entries) hash.update(`${position} ${payload.length}\n`).update(payload)
        next += entries.length
      } catch (error) {
        if (!isRefusal(error)) throw error
        return { ...reading, bad: await firstUnreadable(log, next, last, error.message) }
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
    reading.stretches.push({ from: at, to: last, sha256: hash.digest('hex') })
  }
  return reading
}

/** A slice that cannot be read may begin with what can. */
async function firstUnreadable(log: OrderedLog, from: number, to: number, reason: string): Promise<NonNullable<LogReading['bad']>> {
  for (let position = from; position <= to; position += 1) {
    try {
      log.read(position, 1)
    } catch (error) {
      if (!isRefusal(error)) throw error
      return { position, kind: 'rot', reason: error.message }
    }
  }
  return { position: from, kind: 'rot', reason }
}
