import type { HeaderField } from '../hpack/encoder.ts'

/** Data that is made as its reader takes it; null: that was all. */
export interface Feed {
  readonly length: number
  next(): Uint8Array | null
}

/** One request and its answer. `Owner` is what the layer above keeps of it. */
export class Http2Stream<Owner> {
  readonly id: number
  readonly openedAtMs: number
  owner: Owner | null = null
  /** the peer will send nothing more */
  isRemoteClosed = false
  /** we will send nothing more */
  isLocalClosed = false
  hasSentHeaders = false
  /** bytes we may still send */
  sendWindow: number
  /** bytes taken in since we last widened the peer's window */
  taken = 0
  /** what is waiting for a window: encoded data, oldest first */
  queue: Uint8Array[] = []
  queuedBytes = 0
  /** what follows the queue, which is not empty while there is one */
  feed: Feed | null = null
  /** bytes that the feed will still give */
  promisedBytes = 0
  /** fields that end the stream once the queue is empty */
  trailers: readonly HeaderField[] | null = null
  /** a sender was told to wait, and wants to hear when there is room */
  isSenderWaiting = false

  constructor(id: number, sendWindow: number, openedAtMs: number) {
    this.id = id
    this.sendWindow = sendWindow
    this.openedAtMs = openedAtMs
  }
}
