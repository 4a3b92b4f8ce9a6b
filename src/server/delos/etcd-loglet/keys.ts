import type { Key } from '../../../core/delos/wire/messages.ts'
import { assert } from '../../../core/kernel/assert.ts'

/**
 * Where a loglet's things are in etcd, below `<prefix>/<loglet, 8 hex digits>/`:
 *
 * - `e/<position, 16 hex digits>` a batch; without holes from the first position on
 * - `c/<position>/<proposer>/<part>` parts of a batch that is too long for one key, put before it
 * - `sealed` it is there: nothing is appended any more
 * - `leader` who leads, with a lease; `term` the last one that was claimed
 * - `probe` written before the loglet is begun, to see that it can be
 */
export interface LogletKeys {
  entry: (position: number) => Key
  /** every batch's key, from a position on */
  entriesFrom: (position: number) => { key: Key; range_end: Key }
  chunk: (position: number, proposer: number, part: number) => Key
  chunksOf: (position: number, proposer: number) => { key: Key; range_end: Key }
  /** parts of every batch below a position */
  chunksBelow: (position: number) => { key: Key; range_end: Key }
  sealed: Key
  leader: Key
  term: Key
  probe: Key
  all: { key: Key; range_end: Key }
  /** the position of a batch's key; null: it is none */
  positionOf: (key: Key) => number | null
}

export function logletKeys(prefix: string, loglet: number): LogletKeys {
  const root = `${prefix}/${loglet.toString(16).padStart(8, '0')}`
  const hex = (position: number): string => position.toString(16).padStart(16, '0')
  const entries = `${root}/e/`
  return {
    entry: (position) => `${entries}${hex(position)}`,
    // `0` is the byte after `/`.
    entriesFrom: (position) => ({ key: `${entries}${hex(position)}`, range_end: `${root}/e0` }),
    chunk: (position, proposer, part) => `${root}/c/${hex(position)}/${hex(proposer)}/${hex(part)}`,
    chunksOf: (position, proposer) => ({
      key: `${root}/c/${hex(position)}/${hex(proposer)}/`,
      range_end: `${root}/c/${hex(position)}/${hex(proposer)}0`,
    }),
    chunksBelow: (position) => ({ key: `${root}/c/`, range_end: `${root}/c/${hex(position)}` }),
    sealed: `${root}/sealed`,
    leader: `${root}/leader`,
    term: `${root}/term`,
    probe: `${root}/probe`,
    all: { key: `${root}/`, range_end: `${root}0` },
    positionOf: (key) => (key.startsWith(entries) ? Number.parseInt(key.slice(entries.length), 16) : null),
  }
}

/**
 * What stands at a batch's key: who appended it and its number there, which tell whether a batch whose answer was lost is there.
 *
 *   0 version u8 = 1   1 zero u8   2 parts u16, 0: the batch follows   4 proposer f64   12 seq f64   20 the batch
 */
export interface EtcdEntry {
  proposer: number
  seq: number
  /** parts under keys of their own; 0: `payload` is all of it */
  parts: number
  payload: Uint8Array
}

const VERSION = 1
const HEAD_BYTES = 20

export function encodeEntry({ proposer, seq, parts, payload }: EtcdEntry): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + payload.length)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, VERSION)
  view.setUint16(2, parts)
  view.setFloat64(4, proposer)
  view.setFloat64(12, seq)
  bytes.set(payload, HEAD_BYTES)
  return bytes
}

/** Null: of a version that this program does not know. */
export function decodeEntry(bytes: Uint8Array): EtcdEntry | null {
  if (bytes.length < HEAD_BYTES || bytes[0] !== VERSION) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { proposer: view.getFloat64(4), seq: view.getFloat64(12), parts: view.getUint16(2), payload: bytes.subarray(HEAD_BYTES) }
}

/** Parts of a batch, of at most `bytesMax`. */
export function partsOf(payload: Uint8Array, bytesMax: number): Uint8Array[] {
  const parts: Uint8Array[] = []
  for (let at = 0; at < payload.length; at += bytesMax) parts.push(payload.subarray(at, at + bytesMax))
  assert(parts.length < 65_536, 'a batch has few parts')
  return parts
}
