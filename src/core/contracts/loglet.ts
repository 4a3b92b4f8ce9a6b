/**
 * A loglet: one implementation of a stretch of the log (Delos, OSDI 2020, section 3). Payloads are opaque bytes; an entry
 * has one position, a batch takes the positions `[position, position + count)`.
 */
export interface Loglet {
  /**
   * Appends entries as one atomic batch: after a crash all of them are there or none.
   * Resolves with the first position once they are on disk (fdatasync returned); rejects with MusterError DISK_FULL
   * (nothing was appended, the loglet goes on) or DELOS_DISK_FAILED (the outcome is unknown, the loglet is dead).
   * The bytes are copied before it returns.
   */
  append(payloads: readonly Uint8Array[]): Promise<number>
  /** Position after the last durable entry; the first entry of a log has position 1. */
  checkTail(): number
  /** Durable entries from `from` on, in order, at most `max`; an empty array at the tail. */
  readNext(from: number, max: number): LogletEntry[]
  /** Gives up the space of entries below `position`. */
  prefixTrim(position: number): Promise<void>
  /** First position that can still be read. */
  head(): number
  /** After this, appends are refused; gives the final tail. */
  seal(): Promise<number>
  /** Closes files; whatever was appended stays. */
  close(): Promise<void>
}

export interface LogletEntry {
  position: number
  payload: Uint8Array
}
