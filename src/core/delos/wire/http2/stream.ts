import type { HeaderField } from '../hpack/encoder.ts'

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
