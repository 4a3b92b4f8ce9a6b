export const EARLY_FRAMES_MAX = 1024
export const EARLY_BYTES_MAX = 16 * 1024 * 1024

interface Early {
  from: bigint
  loglet: number
  frame: Uint8Array
}

/**
 * Frames of loglets that are not open here yet, as their segment is learned in a moment. So many and so much; what is more is lost, as on a
 * network, and sent again.
 */
export class EarlyFrames {
  #kept: Early[] = []
  bytes = 0

  /** Keeps a copy. */
  keep(from: bigint, loglet: number, frame: Uint8Array): void {
    if (this.#kept.length >= EARLY_FRAMES_MAX || this.bytes + frame.length > EARLY_BYTES_MAX) return
    this.#kept.push({ from, loglet, frame: frame.slice() })
    this.bytes += frame.length
  }

  /** Those of one loglet, in the order in which they came; they are forgotten. */
  take(loglet: number): { from: bigint; frame: Uint8Array }[] {
    const taken = this.#kept.filter((each) => each.loglet === loglet)
    this.#kept = this.#kept.filter((each) => each.loglet !== loglet)
    for (const { frame } of taken) this.bytes -= frame.length
    return taken
  }
}
