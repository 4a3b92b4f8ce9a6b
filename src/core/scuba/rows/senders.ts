/** What is known of the clock of one who sends rows. */
export interface SenderSkew {
  /** `token:NAME`, `user:NAME`, or the way in and the address it came from */
  sender: string
  /** newest time of a row less when it was received, ms, the most of the last minutes: above zero its clock is ahead, far below zero it is behind or its rows are old */
  skewMs: number
  rows: number
  /** when it last sent, ms */
  lastMs: number
}

/** So long a batch tells of its sender's clock: one of old rows does not, where others come. */
const HALF_MS = 5 * 60_000
const SENDERS_MAX = 1000
/** Told of, those that are farthest off. */
const TOLD_MAX = 100

interface Known {
  half: number
  /** the most of this half and of the one before */
  most: number
  before: number
  rows: number
  lastMs: number
}

/** Compares what senders say the time is with this leaf's clock; soft state. */
export class Senders {
  readonly #known = new Map<string, Known>()

  /** A batch came. @param newestMs newest time that one of its rows claims */
  saw(sender: string, newestMs: number, receivedMs: number, rows: number): void {
    const skewMs = newestMs - receivedMs
    const half = Math.floor(receivedMs / HALF_MS)
    const known = this.#known.get(sender) ?? { half, most: -Infinity, before: -Infinity, rows: 0, lastMs: 0 }
    // Whoever sent last is at the end.
    this.#known.delete(sender)
    if (this.#known.size >= SENDERS_MAX) this.#known.delete(this.#known.keys().next().value ?? '')
    this.#known.set(sender, known)
    if (known.half !== half) known.before = known.half === half - 1 ? known.most : -Infinity
    known.most = known.half === half ? Math.max(known.most, skewMs) : skewMs
    known.half = half
    known.rows += rows
    known.lastMs = receivedMs
  }

  /** The farthest off first. */
  list(nowMs: number): SenderSkew[] {
    return [...this.#known]
      .filter(([, { lastMs }]) => nowMs - lastMs < 2 * HALF_MS)
      .map(([sender, { most, before, rows, lastMs }]) => ({ sender, skewMs: Math.round(Math.max(most, before)), rows, lastMs }))
      .sort((a, b) => Math.abs(b.skewMs) - Math.abs(a.skewMs))
      .slice(0, TOLD_MAX)
  }
}

/** Off by so much a clock is said to be wrong; behind, it may as well be that rows were long on their way. */
const AHEAD_MS = 1000
const BEHIND_MS = 60_000

/** Of those whose clock seems to be wrong, the one that is farthest off; null: there is none. */
export const worstSender = (senders: readonly SenderSkew[]): SenderSkew | null =>
  senders.find(({ skewMs }) => skewMs > AHEAD_MS || skewMs < -BEHIND_MS) ?? null
