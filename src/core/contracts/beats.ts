/**
 * Beats that say nothing new, as they come over one connection (`POST /v1/agent/beats`): frames of little-endian numbers,
 *
 *     u32 bytes that follow | u8 kind | …
 *     kind 1, lives: for each u8 length, node | u8 length, boot id | u64 instance. They get the numbers 0, 1, … of this connection, in turn
 *     kind 2, beats: for each u32 number of a life | u32 seq | u48 hash of all it would report
 *     kind 3, lives of others, whose beats come over this agent: as kind 1, and numbered with them
 *     kind 4, beats of others: for each u32 number of a life | u32 seq | u48 hash | u32 ping | u16 ms it was held | 8 bytes mac
 *
 * One frame may carry beats of many nodes. A life that changed is told again and gets the next number. An agent that beats over another (a relay)
 * sends it kinds 1 and 4 over TLS; the relay sends on what came, packed, as kinds 3 and 4.
 */
export interface AgentLife {
  node: string
  bootId: string
  instance: number
}

export interface LifeBeat {
  /** number of the life on this connection */
  life: number
  /** counts what this life says, reports and beats, from 1 */
  seq: number
  /** below 2^48 */
  hash: number
}

/**
 * What makes a beat good that came over another agent: without the key, which is known to the server and to the node alone, it cannot be made, and
 * it says after which moment it was made, so it cannot be kept for later either.
 */
export interface BeatSeal {
  /** number of the last ping that its agent had heard */
  ping: number
  /** how long it lay with the relay, ms, at most 65,535 */
  heldMs: number
  /** of {@link sealedPart}, by the key of the agent's stream (`platform/short-mac.ts`) */
  mac: Uint8Array
}

export type SealedBeat = LifeBeat & BeatSeal

export const MAC_BYTES = 8

export const BEATS_TYPE = 'application/x-muster-beats'

/** Longest frame: the lives of a large relay fit. */
const FRAME_BYTES_MAX = 256 * 1024
const LIVES = 1
const BEATS = 2
const OTHERS_LIVES = 3
const OTHERS_BEATS = 4
const BEAT_BYTES = 14
const SEALED_BYTES = 28
const HELD_MS_MAX = 0xffff
const U32 = 2 ** 32
const NOTHING: Uint8Array = new Uint8Array()

/** @param ofOthers whether they are those of whoever beats over this agent */
export function livesFrame(lives: readonly AgentLife[], ofOthers = false): Uint8Array {
  const texts = new TextEncoder()
  const parts = lives.map(({ node, bootId, instance }) => ({ node: texts.encode(node), boot: texts.encode(bootId), instance }))
  const [bytes, view] = frame(
    ofOthers ? OTHERS_LIVES : LIVES,
    parts.reduce((sum, { node, boot }) => sum + node.length + boot.length + 10, 0),
  )
  let at = 5
  for (const { node, boot, instance } of parts) {
    for (const text of [node, boot]) {
      view.setUint8(at, text.length)
      bytes.set(text, at + 1)
      at += 1 + text.length
    }
    setWide(view, at, instance, 4)
    at += 8
  }
  return bytes
}

export function beatsFrame(beats: readonly LifeBeat[]): Uint8Array {
  const [bytes, view] = frame(BEATS, beats.length * BEAT_BYTES)
  beats.forEach(({ life, seq, hash }, i) => {
    const at = 5 + i * BEAT_BYTES
    view.setUint32(at, life, true)
    view.setUint32(at + 4, seq, true)
    setWide(view, at + 8, hash, 2)
  })
  return bytes
}

export function sealedFrame(beats: readonly SealedBeat[]): Uint8Array {
  const [bytes, view] = frame(OTHERS_BEATS, beats.length * SEALED_BYTES)
  beats.forEach(({ life, heldMs, mac, ...said }, i) => {
    const at = 5 + i * SEALED_BYTES
    view.setUint32(at, life, true)
    writeSealed(view, at + 4, said)
    view.setUint16(at + 18, Math.min(heldMs, HELD_MS_MAX), true)
    bytes.set(mac.subarray(0, MAC_BYTES), at + 20)
  })
  return bytes
}

/** What the mac of a beat is made of, 14 bytes. Node, boot and instance are those of the key. */
export function sealedPart(said: Pick<SealedBeat, 'seq' | 'hash' | 'ping'>): Uint8Array {
  const bytes = new Uint8Array(14)
  writeSealed(new DataView(bytes.buffer), 0, said)
  return bytes
}

function writeSealed(view: DataView, at: number, { seq, hash, ping }: Pick<SealedBeat, 'seq' | 'hash' | 'ping'>): void {
  view.setUint32(at, seq, true)
  setWide(view, at + 4, hash, 2)
  view.setUint32(at + 10, ping, true)
}

/** What is done with what is read. */
export interface BeatsRead {
  life: (life: AgentLife) => void
  beat: (beat: LifeBeat) => void
  /** absent: beats of others are no frames that are taken here */
  othersLife?: (life: AgentLife) => void
  sealed?: (beat: SealedBeat) => void
}

/** Reads frames from the pieces a connection delivers. */
export class BeatReader {
  readonly #read: BeatsRead
  #rest = NOTHING

  constructor(read: BeatsRead) {
    this.#read = read
  }

  /** False: these are no frames, and nothing more is to be read here. */
  read(piece: Uint8Array): boolean {
    let bytes = piece
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + piece.length)
      bytes.set(this.#rest)
      bytes.set(piece, this.#rest.length)
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    let at = 0
    while (bytes.length - at >= 4) {
      const length = view.getUint32(at, true)
      if (length < 1 || length > FRAME_BYTES_MAX) return false
      if (bytes.length - at - 4 < length) break
      const kind = view.getUint8(at + 4)
      if (!this.#frame(kind, bytes, view, at + 5, length - 1)) return false
      at += 4 + length
    }
    // A copy: the piece belongs to whoever reads the connection.
    this.#rest = at === bytes.length ? NOTHING : copyOf(bytes, at)
    return true
  }

  #frame(kind: number, bytes: Uint8Array, view: DataView, from: number, length: number): boolean {
    const { life, beat, othersLife, sealed } = this.#read
    if (kind === BEATS) return eachOf(BEAT_BYTES, from, length, (at) => beat(beatAt(view, at)))
    if (kind === LIVES) return this.#lives(bytes, view, from, length, life)
    if (kind === OTHERS_LIVES && othersLife !== undefined) return this.#lives(bytes, view, from, length, othersLife)
    if (kind !== OTHERS_BEATS || sealed === undefined) return false
    return eachOf(SEALED_BYTES, from, length, (at) => {
      // A copy: what is kept of it outlives the piece.
      const mac = copyOf(bytes, at + 20, at + SEALED_BYTES)
      sealed({ ...beatAt(view, at), ping: view.getUint32(at + 14, true), heldMs: view.getUint16(at + 18, true), mac })
    })
  }

  #lives(bytes: Uint8Array, view: DataView, from: number, length: number, onLife: (life: AgentLife) => void): boolean {
    const end = from + length
    const texts = new TextDecoder()
    let at = from
    while (at < end) {
      const said: string[] = []
      for (let i = 0; i < 2; i += 1) {
        const to = at + 1 + (at < end ? view.getUint8(at) : end)
        if (to > end) return false
        said.push(texts.decode(bytes.subarray(at + 1, to)))
        at = to
      }
      if (at + 8 > end) return false
      const [node = '', bootId = ''] = said
      onLife({ node, bootId, instance: wideAt(view, at, 4) })
      at += 8
    }
    return true
  }
}

/** Of a Buffer, `slice` would be a part of the same memory. */
const copyOf = (bytes: Uint8Array, from: number, to?: number): Uint8Array => new Uint8Array(bytes.subarray(from, to))

/** False: the records of a frame do not end where it does. */
function eachOf(bytes: number, from: number, length: number, read: (at: number) => void): boolean {
  if (length % bytes !== 0) return false
  for (let at = from; at < from + length; at += bytes) read(at)
  return true
}

const beatAt = (view: DataView, at: number): LifeBeat => ({
  life: view.getUint32(at, true),
  seq: view.getUint32(at + 4, true),
  hash: wideAt(view, at + 8, 2),
})

function frame(kind: number, length: number): [Uint8Array, DataView] {
  const bytes = new Uint8Array(5 + length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 1 + length, true)
  view.setUint8(4, kind)
  return [bytes, view]
}

/** A whole number of 32 bits and `highBytes` (2 or 4) more. */
function setWide(view: DataView, at: number, value: number, highBytes: 2 | 4): void {
  const high = Math.floor(value / U32)
  view.setUint32(at, value % U32, true)
  if (highBytes === 2) view.setUint16(at + 4, high, true)
  else view.setUint32(at + 4, high, true)
}

function wideAt(view: DataView, at: number, highBytes: 2 | 4): number {
  return view.getUint32(at, true) + U32 * (highBytes === 2 ? view.getUint16(at + 4, true) : view.getUint32(at + 4, true))
}
