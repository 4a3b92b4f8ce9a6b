import type { OrderedLog } from './ordered-log.ts'

/** Where a stretch of a log ends, and what the next one begins with. */
export interface StretchEnd {
  /** after its last batch: the first of the next stretch */
  position: number
  /** the last round that was used in it; the next stretch's terms are above */
  round: number
}

/**
 * One loglet of a chain, as a log: positions from `first` on, until it is sealed. What it says of itself (`tail`, `role`, `read`) is of
 * this stretch alone. An append that meets a seal is refused with DELOS_SEALED: it is not in this stretch and will never be by this call,
 * so whoever keeps the chain appends the same bytes to the next one.
 */
export interface Stretch extends Omit<OrderedLog, 'onCommitted'> {
  /** its id in the chain, u32 */
  readonly loglet: number
  readonly first: number
  /** bytes of batches that it keeps in memory for who comes later; left out: none */
  readonly keptBytes?: number
  /**
   * Gives each committed batch from `from` on, in order, once: at once those that are here, the others as they come. Gives what ends it.
   * One follower at a time.
   */
  follow(from: number, listener: BatchListener): () => void
  /** The end once it is known here, though not all before it may be; null while it is open. */
  end(): StretchEnd | null
  /** Called once, when `end` is no longer null; at once if it already is. */
  onEnd(listener: (end: StretchEnd) => void): void
  /**
   * Ends it, for good; any server that has a part in it may, and all find the same end. Resolves with it. Rejects with DISK_FULL or
   * DELOS_NO_QUORUM, and may be tried again then: a seal that began stays begun.
   */
  seal(): Promise<StretchEnd>
}

export type BatchListener = (position: number, batch: Uint8Array) => void
