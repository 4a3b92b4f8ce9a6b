/** Bounds of one connection. What a peer may make us hold or do is limited by these alone. */
export interface Http2Limits {
  /** streams open at once; more are refused */
  streamsMax: number
  /** names and values of one header list, with 32 bytes a field; also the encoded block */
  headerListBytesMax: number
  /** frames a second that carry no request and are not called for by our answers */
  controlFramesMax: number
  /** streams a second that the peer resets, or makes us reset, within a second of opening them */
  resetsMax: number
  /** what a peer may send on one stream before we take it up */
  streamWindowBytes: number
  /** the same for the connection */
  connectionWindowBytes: number
  /** bytes of answers waiting for the peer's windows, over all its streams; new streams are refused above it */
  queuedBytesMax: number
}

export const HTTP2_LIMITS: Http2Limits = {
  streamsMax: 10_000,
  headerListBytesMax: 65_536,
  controlFramesMax: 1000,
  resetsMax: 200,
  streamWindowBytes: 4 * 1_048_576,
  connectionWindowBytes: 16 * 1_048_576,
  queuedBytesMax: 64 * 1_048_576,
}

/** Events within the current second of the connection's clock, against a bound. */
export class RateLimit {
  private readonly max: number
  private since = 0
  private count = 0

  constructor(max: number) {
    this.max = max
  }

  /** Counts one. @returns false above the bound */
  take(nowMs: number): boolean {
    if (nowMs - this.since >= 1000) {
      this.since = nowMs
      this.count = 0
    }
    this.count += 1
    return this.count <= this.max
  }

  /** Takes some back: something that allows for as many more. */
  allow(count: number): void {
    this.count -= count
  }
}
