import { randomBytes } from 'node:crypto'
import { MusterError } from '../../core/kernel/errors.ts'
import type { Logger } from '../../platform/logger.ts'
import type { ScubaClient } from './client.ts'

export interface Telemetry {
  /** Queues a row for a `muster_…` table; never blocks and never throws. Without a `time` it gets now. */
  add: (table: string, row: Record<string, unknown>) => void
  stats: () => { waiting: number; sent: number; dropped: number }
  /** Sends what waits, for at most a second. */
  stop: () => Promise<void>
}

/** Rows that wait while the leaf is away; then the oldest go. */
const WAITING_MAX = 20_000
const BATCH_MAX = 2000
const SEND_MS = 1000

/**
 * Muster's own telemetry on its way to the leaf: buffered, acknowledged from memory, each batch under a key of its own so
 * that a repeated one is added once. What had to be dropped is counted and told in `muster_metrics`.
 */
export function createTelemetry(client: Pick<ScubaClient, 'send'>, log: Logger): Telemetry {
  const sender = randomBytes(6).toString('hex')
  /** table → rows as JSON, oldest first; a Map keeps the tables in the order they came */
  const waiting = new Map<string, string[]>()
  let batch: { table: string; lines: string[]; key: string } | null = null
  let batches = 0
  let count = 0
  let sent = 0
  let dropped = 0
  let toldDropped = 0
  let isSending = false

  const add: Telemetry['add'] = (table, row) => {
    let line: string
    try {
      line = JSON.stringify('time' in row ? row : { time: Date.now(), ...row })
    } catch {
      // A row that is no JSON (a cycle, a bigint) must not disturb who told us.
      dropped += 1
      return
    }
    const lines = waiting.get(table)
    if (lines) lines.push(line)
    else waiting.set(table, [line])
    count += 1
    if (count > WAITING_MAX) dropOldest()
  }

  /** From the table with the most rows, a tenth of them at a time. */
  const dropOldest = (): void => {
    let longest: string[] = []
    for (const lines of waiting.values()) if (lines.length > longest.length) longest = lines
    const cut = Math.max(1, Math.floor(longest.length / 10))
    longest.splice(0, cut)
    count -= cut
    dropped += cut
  }

  const next = (): typeof batch => {
    for (const [table, lines] of waiting) {
      if (lines.length === 0) continue
      const taken = lines.splice(0, BATCH_MAX)
      if (lines.length === 0) waiting.delete(table)
      count -= taken.length
      batches += 1
      return { table, lines: taken, key: `${sender}-${batches}` }
    }
    return null
  }

  const send = async (): Promise<void> => {
    if (isSending) return
    isSending = true
    try {
      for (batch ??= next(); batch; batch = next()) {
        await client.send(batch.table, batch.lines.join('\n'), { key: batch.key, ack: 'memory' })
        sent += batch.lines.length
      }
      if (dropped > toldDropped) {
        add('muster_metrics', { name: 'telemetry.dropped', value: dropped - toldDropped, kind: 'count' })
        toldDropped = dropped
      }
    } catch (error) {
      // While the leaf is away the batch waits; one that it will never take is dropped.
      if (error instanceof MusterError && error.exit !== 6) {
        log.warn('telemetry was refused', { table: batch?.table, error: error.message })
        dropped += batch?.lines.length ?? 0
        batch = null
      }
    } finally {
      isSending = false
    }
  }
  const timer = setInterval(() => void send(), SEND_MS)

  return {
    add,
    stats: () => ({ waiting: count + (batch?.lines.length ?? 0), sent, dropped }),
    stop: async () => {
      clearInterval(timer)
      await Promise.race([send(), new Promise((resolve) => setTimeout(resolve, 1000).unref())])
    },
  }
}
