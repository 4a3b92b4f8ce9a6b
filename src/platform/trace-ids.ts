import { randomFillSync } from 'node:crypto'
import type { Cause } from '../core/kernel/trace.ts'

const pool = Buffer.allocUnsafe(16 * 256)
let used = pool.length

/** A new trace, and the first span in it. */
export const newCause = (): Cause => ({ trace: randomHex(16), span: newSpan() })

export const newSpan = (): string => randomHex(8)

function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += bytes
  return pool.toString('hex', used - bytes, used)
}
