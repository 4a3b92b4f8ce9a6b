import { crc32c } from '../log/crc32c.ts'
import { Reader, Writer } from './bytes.ts'
import type { Accepted, AppendResult, Batch, Message, ReadResult, SlotRange } from './messages.ts'

/*
 * A frame, little-endian:
 *
 *   0 length u32 (of what follows)   4 crc32c u32 (of what follows it)   8 loglet u32   12 from u16   14 kind u8   15 body
 *
 * A batch travels as one piece: slot u64, ballot u64, kind u8, position u64, count u32, proposerId u64, seq u64, length u32, payload.
 */
const HEADER_BYTES = 15
const LENGTH_BYTES = 4
/** A frame that claims more is not one of ours: the connection is given up. Holds a recovery of a whole window and what lags. */
export const FRAME_BYTES_MAX = 256 * 1024 * 1024

/** Places in this list are the wire's numbers: only ever add at the end. */
const KINDS = [
  ...(['probe', 'probeReply', 'prepare', 'promise', 'refuse', 'accept', 'accepted', 'heartbeat', 'heartbeatReply'] as const),
  ...(['forward', 'forwardReply', 'read', 'readReply', 'sealRequest', 'fetch', 'learn', 'takeOver'] as const),
] satisfies Message['kind'][]
const BATCH_KINDS = ['batch', 'noop', 'end'] as const
const REFUSALS = ['noLeader', 'busy', 'sealed'] as const
/** Stands for an open range. */
const OPEN = Number.MAX_SAFE_INTEGER

// --- parts

function putBatch(w: Writer, batch: Batch): void {
  w.u8(BATCH_KINDS.indexOf(batch.kind))
  w.u64(batch.position)
  w.u32(batch.count)
  w.u64(batch.proposerId)
  w.u64(batch.seq)
  w.u32(batch.payload.length)
  w.raw(batch.payload)
}

function getBatch(r: Reader): Batch {
  const kind = oneOf(r, BATCH_KINDS)
  const [position, count, proposerId, seq] = [r.u64(), r.u32(), r.u64(), r.u64()]
  return { kind, position, count, proposerId, seq, payload: r.raw(r.u32()) }
}

function oneOf<T>(r: Reader, list: readonly T[]): T {
  const value = list[r.u8()]
  if (value !== undefined) return value
  r.isGood = false
  return list[0] as T
}

function putAccepted(w: Writer, accepted: Accepted): void {
  w.u64(accepted.slot)
  w.u64(accepted.ballot)
  putBatch(w, accepted.batch)
}

function getAccepted(r: Reader): Accepted {
  return { slot: r.u64(), ballot: r.u64(), batch: getBatch(r) }
}

function putList<T>(w: Writer, list: readonly T[], put: (w: Writer, item: T) => void): void {
  w.u32(list.length)
  for (const item of list) put(w, item)
}

function getList<T>(r: Reader, get: (r: Reader) => T): T[] {
  const list: T[] = []
  for (let left = r.u32(); left > 0 && r.isGood; left -= 1) list.push(get(r))
  return list
}

export function putRange(w: Writer, range: SlotRange): void {
  w.u64(range.from)
  w.u64(range.to ?? OPEN)
}

export function getRange(r: Reader): SlotRange {
  const [from, to] = [r.u64(), r.u64()]
  return { from, to: to === OPEN ? null : to }
}

const putFlag = (w: Writer, flag: boolean): void => w.u8(flag ? 1 : 0)
const getFlag = (r: Reader): boolean => r.u8() === 1

function putAppendResult(w: Writer, result: AppendResult): void {
  if (result.kind === 'unknown') return w.u8(0)
  if (result.kind === 'refused') return w.u8(2 + REFUSALS.indexOf(result.why))
  w.u8(1)
  w.u64(result.slot)
  w.u64(result.position)
  w.u32(result.count)
}

function getAppendResult(r: Reader): AppendResult {
  const code = r.u8()
  if (code === 0) return { kind: 'unknown' }
  if (code === 1) return { kind: 'appended', slot: r.u64(), position: r.u64(), count: r.u32() }
  return { kind: 'refused', why: refusal(r, code - 2) }
}

function putReadResult(w: Writer, result: ReadResult): void {
  if (result.kind === 'refused') return w.u8(1 + REFUSALS.indexOf(result.why))
  w.u8(0)
  w.u64(result.slot)
}

function getReadResult(r: Reader): ReadResult {
  const code = r.u8()
  return code === 0 ? { kind: 'readable', slot: r.u64() } : { kind: 'refused', why: refusal(r, code - 1) }
}

function refusal(r: Reader, index: number): (typeof REFUSALS)[number] {
  const why = REFUSALS[index]
  if (why === undefined) r.isGood = false
  return why ?? 'noLeader'
}

// --- messages

function putMessage(w: Writer, m: Message): void {
  switch (m.kind) {
    case 'probe':
      return put64(w, m.ballot, m.tail, m.committed)
    case 'probeReply':
      put64(w, m.ballot, m.promised)
      return putFlag(w, m.isGranted)
    case 'prepare':
      put64(w, m.ballot, m.from, m.released)
      return putFlag(w, m.isSealing)
    case 'promise':
      put64(w, m.ballot, m.committed)
      putFlag(w, m.isSealed)
      putList(w, m.accepted, putAccepted)
      return putList(w, m.unknown, putRange)
    case 'refuse':
      put64(w, m.ballot, m.promised)
      return putFlag(w, m.isSealed)
    case 'accept':
      put64(w, m.ballot, m.committed)
      putFlag(w, m.isSealing)
      return putList(w, m.batches, putAccepted)
    case 'accepted':
      put64(w, m.ballot, m.synced, m.tail)
      return putFlag(w, m.isGap)
    case 'heartbeat':
      put64(w, m.ballot, m.tick, m.committed)
      putFlag(w, m.isServing)
      return putFlag(w, m.isSealing)
    case 'heartbeatReply':
      return put64(w, m.ballot, m.tick, m.synced, m.tail)
    case 'forward':
      w.u64(m.requestId)
      return putBatch(w, m.batch)
    case 'forwardReply':
      put64(w, m.requestId, m.ballot, m.committed)
      return putAppendResult(w, m.result)
    case 'read':
      return w.u64(m.requestId)
    case 'readReply':
      put64(w, m.requestId, m.ballot, m.committed)
      return putReadResult(w, m.result)
    case 'sealRequest':
      return
    case 'fetch':
      return w.u64(m.from)
    case 'learn':
      w.u64(m.committed)
      return putList(w, m.batches, putAccepted)
    case 'takeOver':
      return w.u64(m.released)
  }
}

function put64(w: Writer, ...values: number[]): void {
  for (const value of values) w.u64(value)
}

function getMessage(r: Reader): Message {
  const kind = oneOf(r, KINDS)
  switch (kind) {
    case 'probe':
      return { kind, ballot: r.u64(), tail: r.u64(), committed: r.u64() }
    case 'probeReply':
      return { kind, ballot: r.u64(), promised: r.u64(), isGranted: getFlag(r) }
    case 'prepare':
      return { kind, ballot: r.u64(), from: r.u64(), released: r.u64(), isSealing: getFlag(r) }
    case 'promise': {
      const [ballot, committed, isSealed] = [r.u64(), r.u64(), getFlag(r)]
      return { kind, ballot, committed, isSealed, accepted: getList(r, getAccepted), unknown: getList(r, getRange) }
    }
    case 'refuse':
      return { kind, ballot: r.u64(), promised: r.u64(), isSealed: getFlag(r) }
    case 'accept':
      return { kind, ballot: r.u64(), committed: r.u64(), isSealing: getFlag(r), batches: getList(r, getAccepted) }
    case 'accepted':
      return { kind, ballot: r.u64(), synced: r.u64(), tail: r.u64(), isGap: getFlag(r) }
    case 'heartbeat':
      return { kind, ballot: r.u64(), tick: r.u64(), committed: r.u64(), isServing: getFlag(r), isSealing: getFlag(r) }
    case 'heartbeatReply':
      return { kind, ballot: r.u64(), tick: r.u64(), synced: r.u64(), tail: r.u64() }
    case 'forward':
      return { kind, requestId: r.u64(), batch: getBatch(r) }
    case 'forwardReply':
      return { kind, requestId: r.u64(), ballot: r.u64(), committed: r.u64(), result: getAppendResult(r) }
    case 'read':
      return { kind, requestId: r.u64() }
    case 'readReply':
      return { kind, requestId: r.u64(), ballot: r.u64(), committed: r.u64(), result: getReadResult(r) }
    case 'sealRequest':
      return { kind }
    case 'fetch':
      return { kind, from: r.u64() }
    case 'learn':
      return { kind, committed: r.u64(), batches: getList(r, getAccepted) }
    case 'takeOver':
      return { kind, released: r.u64() }
  }
}

// --- frames

const FRAME_HINT_BYTES = 128
/** Payloads from this length on are not copied into a frame in pieces. */
const APART_BYTES_MIN = 16 * 1024

/** About what the batches of a message take, so that a large frame is not copied while it grows. */
function payloadBytes(message: Message): number {
  if ('batch' in message) return message.batch.payload.length
  const list = 'batches' in message ? message.batches : 'accepted' in message ? message.accepted : []
  let bytes = 0
  for (const { batch } of list) bytes += FRAME_HINT_BYTES + batch.payload.length
  return bytes
}

export interface Frame {
  loglet: number
  from: number
  message: Message
}

export function encodeFrame(loglet: number, from: number, message: Message): Uint8Array {
  const w = new Writer(FRAME_HINT_BYTES + payloadBytes(message))
  encode(w, loglet, from, message)
  return w.finish()
}

/** The same bytes in pieces, to be sent one after the other: long payloads are not copied, so they must stay as they are until that is done. */
export function encodeFramePieces(loglet: number, from: number, message: Message): Uint8Array[] {
  const isLong = payloadBytes(message) >= APART_BYTES_MIN
  return isLong ? encode(new Writer(4 * FRAME_HINT_BYTES, APART_BYTES_MIN), loglet, from, message) : [encodeFrame(loglet, from, message)]
}

function encode(w: Writer, loglet: number, from: number, message: Message): Uint8Array[] {
  w.u32(0)
  w.u32(0)
  w.u32(loglet)
  w.u16(from)
  w.u8(KINDS.indexOf(message.kind))
  putMessage(w, message)
  const pieces = w.pieces()
  let [crc, length] = [0, 0]
  for (const piece of pieces) {
    crc = crc32c(piece, length === 0 ? 2 * LENGTH_BYTES : 0, piece.length, crc)
    length += piece.length
  }
  const head = w.since(0)
  const view = new DataView(head.buffer, head.byteOffset)
  view.setUint32(0, length - LENGTH_BYTES, true)
  view.setUint32(LENGTH_BYTES, crc, true)
  return pieces
}

/**
 * Bytes of the frame that begins at `at`; null while its length is not known yet, and -1 if no frame can begin so: the
 * connection must be given up.
 */
export function frameBytes(bytes: Uint8Array, at: number): number | null {
  if (bytes.length - at < LENGTH_BYTES) return null
  const length = new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0, true)
  return length < HEADER_BYTES - LENGTH_BYTES || length > FRAME_BYTES_MAX ? -1 : LENGTH_BYTES + length
}

/** The frame in these bytes, which are exactly one; null if they are damaged. Payloads are views into `bytes`. */
export function decodeFrame(bytes: Uint8Array): Frame | null {
  if (frameBytes(bytes, 0) !== bytes.length) return null
  const r = new Reader(bytes, LENGTH_BYTES)
  if (r.u32() !== crc32c(bytes, 2 * LENGTH_BYTES)) return null
  const [loglet, from] = [r.u32(), r.u16()]
  const message = getMessage(r)
  return r.isGood && r.left === 0 ? { loglet, from, message } : null
}

/** Which loglet a frame is for, without reading the rest of it; 0: it is no frame. */
export function logletOf(bytes: Uint8Array): number {
  return bytes.length < 12 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(2 * LENGTH_BYTES, true)
}

// --- records

const RECORD_SCRATCH_BYTES = 64 * 1024
const recordScratch = new Writer(RECORD_SCRATCH_BYTES)

/**
 * The payloads of the records of accepted batches in a segment file, whose headers say position, count and ballot once more. In memory that is
 * used again: they hold until the next call.
 */
export function encodeRecords(list: readonly Accepted[], committed: number): Uint8Array[] {
  const w = recordScratch
  w.reset()
  return list.map((accepted) => {
    const from = w.length
    w.u64(committed)
    putAccepted(w, accepted)
    return w.since(from)
  })
}

/** @returns null if the payload is not one of ours; the record's checksum held, so that is another version's */
export function decodeRecord(bytes: Uint8Array): { accepted: Accepted; committed: number } | null {
  const r = new Reader(bytes)
  const committed = r.u64()
  const accepted = getAccepted(r)
  return r.isGood && r.left === 0 ? { accepted, committed } : null
}
