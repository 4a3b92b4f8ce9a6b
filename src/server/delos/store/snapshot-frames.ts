import type { LogBase } from '../../../core/contracts/ordered-log.ts'

/**
 * What servers say to each other about snapshots: who needs one asks for it and then for each part; who has it only answers. A frame is the
 * length of its JSON, u16, the JSON, and the bytes of a part.
 */
export type SnapshotMessage =
  /** `next`: position that is wanted next; `isForced`: whatever the other's log has, as what is here is of no use */
  | { kind: 'ask'; next: number; isForced: boolean }
  | { kind: 'offer'; offer: SnapshotOffer }
  /** the log still has what is wanted next, or nothing newer is there yet */
  | { kind: 'none'; reason: string }
  | { kind: 'get'; id: string; offset: number }
  | { kind: 'part'; id: string; offset: number }
  /** that snapshot is here no more */
  | { kind: 'gone'; id: string }

export interface SnapshotOffer {
  id: string
  sizeBytes: number
  sha256: string
  base: LogBase
}

/** Bytes of a part; the last one may be shorter. */
export const PART_BYTES = 1024 * 1024

const HEAD_BYTES = 2
const NOTHING = new Uint8Array(0)

export function encodeSnapshotFrame(message: SnapshotMessage, bytes: Uint8Array = NOTHING): Uint8Array {
  const head = Buffer.from(JSON.stringify(message))
  const frame = Buffer.allocUnsafe(HEAD_BYTES + head.length + bytes.length)
  frame.writeUInt16BE(head.length, 0)
  head.copy(frame, HEAD_BYTES)
  frame.set(bytes, HEAD_BYTES + head.length)
  return frame
}

/** Null: not such a frame. */
export function decodeSnapshotFrame(frame: Uint8Array): { message: SnapshotMessage; bytes: Uint8Array } | null {
  if (frame.length < HEAD_BYTES) return null
  const end = HEAD_BYTES + (((frame[0] as number) << 8) | (frame[1] as number))
  try {
    const text = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString('utf8', HEAD_BYTES, end)
    return { message: JSON.parse(text) as SnapshotMessage, bytes: frame.subarray(end) }
  } catch {
    return null
  }
}
