/**
 * Beats that say nothing new, as they come over one connection (`POST /v1/agent/beats`): frames of little-endian numbers,
 *
 *     u32 bytes that follow | u8 kind | …
 *     kind 1, lives: for each u8 length, node | u8 length, boot id | u64 instance. They get the numbers 0, 1, … of this connection, in turn
 *     kind 2, beats: for each u32 number of a life | u32 seq | u48 hash of all it would report
 *
 * One frame may carry beats of many nodes. A life that changed is told again and gets the next number.
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

export const BEATS_TYPE = 'application/x-muster-beats'

/** Longest frame: the lives of a large relay fit. */
const FRAME_BYTES_MAX = 256 * 1024
const LIVES = 1
const BEATS = 2
const BEAT_BYTES = 14
const U32 = 2 ** 32
const NOTHING: Uint8Array = new Uint8Array()

export function livesFrame(lives: readonly AgentLife[]): Uint8Array {
  const texts = new TextEncoder()
  const parts = lives.map(({ node, bootId, instance }) => ({ node: texts.encode(node), boot: texts.encode(bootId), instance }))
  const [bytes, view] = frame(
    LIVES,
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

/** Reads frames from the pieces a connection delivers. */
export class BeatReader {
  readonly #onLife: (life: AgentLife) => void
  readonly #onBeat: (beat: LifeBeat) => void
  #rest = NOTHING

  constructor(onLife: (life: AgentLife) => void, onBeat: (beat: LifeBeat) => void) {
    this.#onLife = onLife
    this.#onBeat = onBeat
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
      const isGood = kind === BEATS ? this.#beats(view, at + 5, length - 1) : kind === LIVES && this.#lives(bytes, view, at + 5, length - 1)
      if (!isGood) return false
      at += 4 + length
    }
    // A copy: the piece belongs to whoever reads the connection.
    this.#rest = at === bytes.length ? NOTHING : bytes.slice(at)
    return true
  }

  #beats(view: DataView, from: number, length: number): boolean {
    if (length % BEAT_BYTES !== 0) return false
    for (let at = from; at < from + length; at += BEAT_BYTES)
      this.#onBeat({ life: view.getUint32(at, true), seq: view.getUint32(at + 4, true), hash: wideAt(view, at + 8, 2) })
    return true
  }

  #lives(bytes: Uint8Array, view: DataView, from: number, length: number): boolean {
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
      this.#onLife({ node, bootId, instance: wideAt(view, at, 4) })
      at += 8
    }
    return true
  }
}

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
