import { assert } from '../../kernel/assert.ts'
import { crc32c } from '../log/crc32c.ts'
import { Reader, Writer } from './bytes.ts'
import { getRange, putRange } from './codec.ts'
import type { AcceptorState } from './contract.ts'
import type { SlotRange } from './messages.ts'

/*
 * The file of an acceptor: two slots of 4 KiB with the same content. A new state is written and synced to the first, then to the
 * second, and counts as on disk after both. A write torn anywhere leaves the other slot; so does damage later. (Written in
 * turn instead, a damaged newest slot would look like a torn one, and a promise be forgotten.) A slot, little-endian:
 *
 *   0 "MUSTERAC"   8 format u32   12 crc32c u32 (of bytes 0–11 and 16–4095)   16 generation u64   24 cluster u32, u32 (low, high)
 *   32 loglet u32   36 incarnation u32   40 promised u64   48 isSealed u8   49 ranges u8   50 ranges, each from u64, to u64
 */
export const ACCEPTOR_SLOT_BYTES = 4096
export const ACCEPTOR_FILE_BYTES = 2 * ACCEPTOR_SLOT_BYTES
const FORMAT = 1
const NAME = new TextEncoder().encode('MUSTERAC')
/** More damaged ranges than this are joined into fewer: to know less than one could is safe. */
const RANGES_MAX = 200

export interface AcceptorSlot {
  /** counts the writes; the higher one of the file is the valid one */
  generation: number
  /** 64 bits */
  clusterId: bigint
  loglet: number
  /** of the server's data directory: a copy brought back from the past has a lower one than the register */
  incarnation: number
  state: AcceptorState
}

function checksum(bytes: Uint8Array): number {
  const covered = bytes.slice()
  covered.fill(0, 12, 16)
  return crc32c(covered)
}

/** Few enough ranges, covering at least the same slots. */
function joined(ranges: readonly SlotRange[]): SlotRange[] {
  if (ranges.length <= RANGES_MAX) return [...ranges]
  const from = Math.min(...ranges.map((range) => range.from))
  const isOpen = ranges.some(({ to }) => to === null)
  return [{ from, to: isOpen ? null : Math.max(...ranges.map(({ to }) => to ?? 0)) }]
}

/** The bytes of a slot. */
export function encodeAcceptorSlot(slot: AcceptorSlot): Uint8Array {
  assert(slot.clusterId >= 0n && slot.clusterId < 1n << 64n, 'a cluster id has 64 bits')
  const w = new Writer(ACCEPTOR_SLOT_BYTES)
  w.raw(NAME)
  w.u32(FORMAT)
  w.u32(0)
  w.u64(slot.generation)
  w.u32(Number(slot.clusterId & 0xffff_ffffn))
  w.u32(Number(slot.clusterId >> 32n))
  w.u32(slot.loglet)
  w.u32(slot.incarnation)
  w.u64(slot.state.promised)
  w.u8(slot.state.isSealed ? 1 : 0)
  const ranges = joined(slot.state.unknown)
  w.u8(ranges.length)
  for (const range of ranges) putRange(w, range)
  w.raw(new Uint8Array(ACCEPTOR_SLOT_BYTES - w.length))
  const bytes = w.finish()
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(12, checksum(bytes), true)
  return bytes
}

function decodeSlot(bytes: Uint8Array): AcceptorSlot | null {
  const r = new Reader(bytes)
  const name = r.raw(NAME.length)
  if (NAME.some((byte, i) => name[i] !== byte) || r.u32() !== FORMAT || r.u32() !== checksum(bytes)) return null
  const generation = r.u64()
  const clusterId = BigInt(r.u32()) | (BigInt(r.u32()) << 32n)
  const [loglet, incarnation, promised, isSealed] = [r.u32(), r.u32(), r.u64(), r.u8() === 1]
  const unknown = Array.from({ length: r.u8() }, () => getRange(r))
  return r.isGood ? { generation, clusterId, loglet, incarnation, state: { promised, isSealed, unknown } } : null
}

/**
 * What an acceptor's file says.
 * - `fresh`: never written
 * - `damaged`: neither slot can be trusted; this server must not vote with it any more
 */
export type AcceptorFile = { kind: 'fresh' } | { kind: 'slot'; slot: AcceptorSlot } | { kind: 'damaged' }

export function decodeAcceptorFile(bytes: Uint8Array): AcceptorFile {
  const halves = [0, 1].map((i) => bytes.subarray(i * ACCEPTOR_SLOT_BYTES, (i + 1) * ACCEPTOR_SLOT_BYTES))
  if (bytes.every((byte) => byte === 0)) return { kind: 'fresh' }
  const slots = halves.map((half) => (half.length === ACCEPTOR_SLOT_BYTES ? decodeSlot(half) : null)).filter((slot) => slot !== null)
  const newest = slots.sort((a, b) => b.generation - a.generation)[0]
  return newest === undefined ? { kind: 'damaged' } : { kind: 'slot', slot: newest }
}
