import type { Entry } from '../../core/contracts/entry.ts'
import { assert } from '../../core/kernel/assert.ts'
import { refuse } from '../../core/kernel/errors.ts'
import { decodeEntry, encodeEntry } from './entry-codec.ts'

/*
 * What stands at one position of the control log: the entries that were decided together, on the state that everything before that
 * position makes.
 *
 *     u8 form = 1 | 3 bytes 0 | u32 count | f64 position | f64 first | f64 proposer | f64 seq | entries: u32 length, bytes of `entry-codec.ts`
 *
 * `position` is the one it was decided for. Where it stands anywhere else, something came before it that its proposer did not know: it
 * is void, for everybody, and its entries do not count. `first` is the number of its first entry, which is what entries are called by
 * everywhere else; the others follow it. `proposer` and `seq` name the batch, so that who appended it knows it again.
 *
 * Before there were batches an entry stood alone, as JSON, at the position that is its number.
 */

/** What a batch says of itself. */
export interface BatchHead {
  /** It stands where it was not decided for: none of it counts. */
  isVoid: boolean
  first: number
  count: number
  proposer: number
  seq: number
}

const FORM = 1
const HEAD_BYTES = 40
const LENGTH_BYTES = 4
const OPENING_BRACE = 0x7b

export interface NewBatch {
  position: number
  first: number
  proposer: number
  seq: number
  entries: readonly Entry[]
}

export function encodeBatch({ position, first, proposer, seq, entries }: NewBatch): Uint8Array {
  assert(entries.length > 0, 'a batch has at least one entry')
  const payloads = entries.map(encodeEntry)
  const bytes = Buffer.alloc(HEAD_BYTES + payloads.reduce((sum, { length }) => sum + LENGTH_BYTES + length, 0))
  bytes.writeUInt8(FORM, 0)
  bytes.writeUInt32BE(entries.length, 4)
  bytes.writeDoubleBE(position, 8)
  bytes.writeDoubleBE(first, 16)
  bytes.writeDoubleBE(proposer, 24)
  bytes.writeDoubleBE(seq, 32)
  let at = HEAD_BYTES
  for (const payload of payloads) {
    bytes.writeUInt32BE(payload.length, at)
    bytes.set(payload, at + LENGTH_BYTES)
    at += LENGTH_BYTES + payload.length
  }
  return bytes
}

/**
 * @param position where it stands
 * @throws STATE_NEWER when a newer version wrote it
 */
export function batchHead(position: number, payload: Uint8Array): BatchHead {
  if (payload[0] === OPENING_BRACE) return { isVoid: false, first: position, count: 1, proposer: 0, seq: 0 }
  const bytes = bufferOf(payload)
  if (payload[0] !== FORM || bytes.length < HEAD_BYTES)
    throw refuse(
      'STATE_NEWER',
      `the batch at position ${position} of the control log has form ${payload[0]}, which this version does not know`,
    )
  return {
    isVoid: bytes.readDoubleBE(8) !== position,
    first: bytes.readDoubleBE(16),
    count: bytes.readUInt32BE(4),
    proposer: bytes.readDoubleBE(24),
    seq: bytes.readDoubleBE(32),
  }
}

/** The entries of a batch, each with its number; none when it is void. */
export function batchEntries(position: number, payload: Uint8Array): Entry[] {
  const { isVoid, first, count } = batchHead(position, payload)
  if (isVoid) return []
  if (payload[0] === OPENING_BRACE) return [decodeEntry(first, payload)]
  const bytes = bufferOf(payload)
  const entries: Entry[] = []
  for (let at = HEAD_BYTES; entries.length < count;) {
    const end = at + LENGTH_BYTES + bytes.readUInt32BE(at)
    entries.push(decodeEntry(first + entries.length, bytes.subarray(at + LENGTH_BYTES, end)))
    at = end
  }
  return entries
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
