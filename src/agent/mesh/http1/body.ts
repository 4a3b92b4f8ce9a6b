import { isToken } from './fields.ts'

/** Where a message body ends. Bytes pass through as they came; this only follows them. */
export interface BodyFollower {
  isDone: boolean
  /** Follows `buf` from `at`; gives the end of the body's bytes in it, or -1 where they are broken. */
  follow(buf: Buffer, at: number): number
}

/** No body at all. */
export const EMPTY_BODY: BodyFollower = { isDone: true, follow: (_buf, at) => at }

export class LengthBody implements BodyFollower {
  isDone: boolean
  #left: number
  constructor(length: number) {
    this.#left = length
    this.isDone = length === 0
  }
  follow(buf: Buffer, at: number): number {
    const end = Math.min(buf.length, at + this.#left)
    this.#left -= end - at
    this.isDone = this.#left === 0
    return end
  }
}

/** Ends when the connection does. */
export class UntilCloseBody implements BodyFollower {
  isDone = false
  follow(buf: Buffer, _at: number): number {
    return buf.length
  }
}

const LINE_MAX_BYTES = 4096
const TRAILERS_MAX_BYTES = 16 * 1024

const STEP = { size: 0, data: 1, dataEnd: 2, trailer: 3, done: 4 } as const
type Step = (typeof STEP)[keyof typeof STEP]

/**
 * Chunked coding (RFC 9112 section 7.1), strict: CRLF only, hexadecimal sizes of at most 12 digits, no bad bytes in
 * extensions and trailers.
 * @param onData called with each stretch of content: only where the coding must be taken off
 */
export class ChunkedBody implements BodyFollower {
  isDone = false
  #step: Step = STEP.size
  #left = 0
  /** a line that is not whole yet */
  #line = ''
  #trailerBytes = 0
  readonly #onData: ((buf: Buffer, start: number, end: number) => void) | null

  constructor(onData: ((buf: Buffer, start: number, end: number) => void) | null = null) {
    this.#onData = onData
  }

  follow(buf: Buffer, start: number): number {
    let at = start
    while (at < buf.length && this.#step !== STEP.done) {
      if (this.#step === STEP.data) {
        const end = Math.min(buf.length, at + this.#left)
        this.#onData?.(buf, at, end)
        this.#left -= end - at
        at = end
        if (this.#left === 0) this.#step = STEP.dataEnd
        continue
      }
      const newline = buf.indexOf(10, at)
      const end = newline < 0 ? buf.length : newline + 1
      this.#line += buf.toString('latin1', at, end)
      at = end
      if (this.#line.length > LINE_MAX_BYTES) return -1
      if (newline >= 0 && !this.#takeLine()) return -1
    }
    this.isDone = this.#step === STEP.done
    return at
  }

  #takeLine(): boolean {
    const line = this.#line
    this.#line = ''
    if (!line.endsWith('\r\n')) return false
    const text = line.slice(0, -2)
    // eslint-disable-next-line no-control-regex -- a bare CR or a control in an extension could be read as a line's end elsewhere
    if (/[\0-\x08\x0a-\x1f\x7f]/.test(text)) return false
    if (this.#step === STEP.dataEnd) {
      this.#step = STEP.size
      return text === ''
    }
    return this.#step === STEP.size ? this.#takeSize(text) : this.#takeTrailer(text)
  }

  #takeSize(text: string): boolean {
    const match = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(text)
    if (match === null) return false
    this.#left = Number.parseInt(match[1] ?? '', 16)
    this.#step = this.#left === 0 ? STEP.trailer : STEP.data
    return true
  }

  #takeTrailer(text: string): boolean {
    if (text === '') {
      this.#step = STEP.done
      return true
    }
    this.#trailerBytes += text.length
    const colon = text.indexOf(':')
    return this.#trailerBytes <= TRAILERS_MAX_BYTES && colon > 0 && isToken(text.slice(0, colon))
  }
}
