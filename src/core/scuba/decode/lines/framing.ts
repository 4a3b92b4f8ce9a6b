/** Cuts a stream into messages of at most `bytesMax`; a longer one is cut there, and its rest is passed over. */
export interface Framing {
  /** Whole messages that are there with these bytes; views that are good until the next call. */
  push(bytes: Uint8Array): Uint8Array[]
  /** What is left at the end of the stream. */
  end(): Uint8Array[]
  /** messages that were too long, or whose length could not be read */
  readonly broken: number
}

const LF = 10
const CR = 13
const SPACE = 32

/** One message a line (RFC 6587, 3.4.2); a CR before the line end is not of it. Empty ones are left out. */
export function lineFraming(bytesMax: number): Framing {
  return framing(bytesMax, false)
}

/** Syslog over TCP (RFC 6587): a message that begins with a digit is counted, `LEN SP MSG`; another ends with its line. */
export function syslogFraming(bytesMax: number): Framing {
  return framing(bytesMax, true)
}

function framing(bytesMax: number, isCounted: boolean): Framing {
  let waiting: Uint8Array = new Uint8Array(0)
  let isSkipping = false
  /** bytes of a counted message that are passed over */
  let skip = 0
  let broken = 0

  /** The next message, and where what follows begins; null: more bytes are needed. */
  const next = (bytes: Uint8Array, at: number): { message: Uint8Array | null; end: number } | null => {
    if (skip > 0) {
      const passed = Math.min(skip, bytes.length - at)
      skip -= passed
      return { message: null, end: at + passed }
    }
    const first = bytes[at] as number
    if (isCounted && !isSkipping && first >= 0x31 && first <= 0x39) {
      const counted = countedFrom(bytes, at)
      if (counted === null) return null
      if (counted.length >= 0) {
        const size = Math.min(counted.length, bytesMax)
        if (counted.start + size > bytes.length) return null
        if (counted.length > bytesMax) {
          broken += 1
          skip = counted.length - bytesMax
        }
        return { message: bytes.subarray(counted.start, counted.start + size), end: counted.start + size }
      }
    }
    const end = bytes.indexOf(LF, at)
    if (end < 0 && bytes.length - at <= bytesMax) return null
    if (isSkipping) {
      if (end >= 0) isSkipping = false
      return { message: null, end: end < 0 ? bytes.length : end + 1 }
    }
    if (end < 0 || end - at > bytesMax) {
      broken += 1
      isSkipping = end < 0
      return { message: bytes.subarray(at, at + bytesMax), end: end < 0 ? bytes.length : end + 1 }
    }
    return { message: bytes.subarray(at, bytes[end - 1] === CR && end > at ? end - 1 : end), end: end + 1 }
  }

  return {
    get broken() {
      return broken
    },
    push: (piece) => {
      let bytes = piece
      if (waiting.length > 0) {
        bytes = new Uint8Array(waiting.length + piece.length)
        bytes.set(waiting)
        bytes.set(piece, waiting.length)
      }
      const messages: Uint8Array[] = []
      let at = 0
      while (at < bytes.length) {
        const found = next(bytes, at)
        if (found === null) break
        if (found.message !== null && found.message.length > 0) messages.push(found.message)
        at = found.end
      }
      waiting = bytes.slice(at)
      return messages
    },
    end: () => {
      const last = waiting
      waiting = new Uint8Array(0)
      return last.length === 0 || isSkipping ? [] : [last]
    },
  }
}

/** `LEN SP`: the length and where the message begins; length -1: it is not counted; null: more bytes are needed. */
function countedFrom(bytes: Uint8Array, at: number): { length: number; start: number } | null {
  let length = 0
  for (let i = at; i < at + 9; i += 1) {
    if (i >= bytes.length) return null
    const byte = bytes[i] as number
    if (byte === SPACE) return { length, start: i + 1 }
    if (byte < 0x30 || byte > 0x39) break
    length = length * 10 + byte - 0x30
  }
  return { length: -1, start: at }
}
