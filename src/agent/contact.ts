import { readFileSync } from 'node:fs'
import { replaceFile } from '../platform/files.ts'

/** So often at most it is written down. */
const KEEP_EVERY_MS = 500

/** ms since the machine's boot, by a clock that is never set and that all its processes share. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000
}

/**
 * When a server last heard this node: a task that may run only so long without one is ended by it (`stop_after`). Kept in a file, so that an
 * agent that starts again does not start to wait anew; after a boot of the machine its tasks are gone anyhow.
 */
export class Contact {
  readonly #file: string
  readonly #bootId: string
  readonly #clock: () => number
  #heardAtMs: number
  #keptAtMs = -Infinity

  constructor(file: string, bootId: string, clock: () => number = monotonicMs) {
    this.#file = file
    this.#bootId = bootId
    this.#clock = clock
    this.#heardAtMs = this.#kept() ?? clock()
  }

  get silentMs(): number {
    return this.#clock() - this.#heardAtMs
  }

  /** A server has taken a report that went out then. Throws when it cannot be written down: an agent that starts again waits less then. */
  heard(sentAtMs: number): void {
    this.#heardAtMs = Math.max(this.#heardAtMs, sentAtMs)
    if (this.#heardAtMs - this.#keptAtMs < KEEP_EVERY_MS) return
    this.#keptAtMs = this.#heardAtMs
    replaceFile(this.#file, `${JSON.stringify({ bootId: this.#bootId, heardAtMs: this.#heardAtMs })}\n`)
  }

  /** Null: nothing is known of this boot. */
  #kept(): number | null {
    try {
      const { bootId, heardAtMs } = JSON.parse(readFileSync(this.#file, 'utf8')) as { bootId?: unknown; heardAtMs?: unknown }
      return bootId === this.#bootId && typeof heardAtMs === 'number' ? Math.min(heardAtMs, this.#clock()) : null
    } catch {
      // The first agent of this node, or a file cut short by a crash of the machine.
      return null
    }
  }
}
