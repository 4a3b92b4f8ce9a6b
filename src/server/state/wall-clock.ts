import type { ServerHealth } from '../../core/delos/virtual-log/members.ts'

/** Clocks that differ by less are left as they are: what is known of others' clocks is not more exact under load. */
const TOLERATED_MS = 500
/** What others said of their clocks is looked at so often: they say it each second. */
const LOOK_MS = 1000
/** Of two clocks that differ nobody knows which is wrong. */
const CLOCKS_MIN = 3

type Clocks = Iterable<Pick<ServerHealth, 'isReachable' | 'clockOffMs'>>

/**
 * How far this server's clock is ahead of that of most servers, ms; 0 where it is not, or where most do not answer. The time of the log never goes
 * back, so one leader whose clock is days ahead would have the fleet wait for days.
 * @param servers all of the fleet, this one among them with 0
 */
export function clockLeadMs(servers: Clocks): number {
  const all = [...servers]
  const offsets = all.flatMap(({ isReachable, clockOffMs }) => (isReachable ? [clockOffMs] : [])).toSorted((a, b) => a - b)
  if (offsets.length < CLOCKS_MIN || offsets.length * 2 <= all.length) return 0
  const lead = -(offsets[Math.floor(offsets.length / 2)] ?? 0)
  return lead > TOLERATED_MS ? lead : 0
}

/** The wall clock of this server, held back where most others' say that it is ahead. */
export class WallClock {
  readonly #own: () => number
  #others: () => Clocks = () => []
  #leadMs = 0
  #lookedAtMs = -Infinity

  constructor(own: () => number = Date.now) {
    this.#own = own
  }

  /** From now on it is compared with these. */
  compareWith(others: () => Clocks): void {
    this.#others = others
  }

  now(): number {
    const nowMs = performance.now()
    if (nowMs - this.#lookedAtMs >= LOOK_MS) {
      this.#lookedAtMs = nowMs
      this.#leadMs = clockLeadMs(this.#others())
    }
    return this.#own() - this.#leadMs
  }
}
