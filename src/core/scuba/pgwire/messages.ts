/**
 * What a client of PostgreSQL's protocol 3 says ("Message Formats" of its documentation), read from bytes that come in any
 * pieces. Nothing is allocated from a length that is over its bound.
 */

/** The first message of a connection has no type. */
export type StartMessage =
  /** `minor` of the version 3 that the client would like */
  | { type: 'startup'; minor: number; parameters: Record<string, string> }
  | { type: 'ssl' }
  | { type: 'gss' }
  | { type: 'cancel'; pid: number; secret: number }
  | { type: 'broken'; reason: string }

export type ClientMessage =
  | { type: 'query'; sql: string }
  | { type: 'parse'; name: string; sql: string; parameterTypes: number[] }
  | { type: 'bind'; portal: string; statement: string; formats: number[]; values: (Uint8Array | null)[]; resultFormats: number[] }
  | { type: 'describe' | 'close'; of: 'statement' | 'portal'; name: string }
  | { type: 'execute'; portal: string; rowsMax: number }
  | { type: 'sync' | 'flush' | 'terminate' }
  /** passwords and SASL answers: which one it is follows from what was asked */
  | { type: 'password'; body: Uint8Array }
  /** rows for a COPY that nobody asked for */
  | { type: 'copy' }
  | { type: 'broken'; reason: string }

const START_BYTES_MAX = 10_000
const SSL_REQUEST = 80_877_103
const GSS_REQUEST = 80_877_104
const CANCEL_REQUEST = 80_877_102
const VERSION_3 = 3

const decoder = new TextDecoder('utf-8', { fatal: true })

/** Cuts a stream into messages. After `broken` it gives nothing more: the connection is to be closed. */
export class MessageReader {
  /** what came is in `[#begin, #end)` */
  #bytes = new Uint8Array(1024)
  #begin = 0
  #end = 0
  #isBroken = false
  #bytesMax: number

  /** @param bytesMax of one message */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** From now on messages may be this long. */
  allow(bytesMax: number): void {
    this.#bytesMax = bytesMax
  }

  /** Bytes that came and are in no message yet. */
  get waitingBytes(): number {
    return this.#end - this.#begin
  }

  push(bytes: Uint8Array): void {
    if (this.#isBroken) return
    if (this.#end + bytes.length > this.#bytes.length) {
      // What was given out keeps the old buffer.
      const waiting = this.#bytes.subarray(this.#begin, this.#end)
      this.#bytes = new Uint8Array(Math.max(1024, (waiting.length + bytes.length) * 2))
      this.#bytes.set(waiting)
      this.#begin = 0
      this.#end = waiting.length
    }
    this.#bytes.set(bytes, this.#end)
    this.#end += bytes.length
  }

  /** The first message, while the connection has not begun; null: more bytes are wanted. */
  start(): StartMessage | null {
    if (this.#isBroken || this.waitingBytes < 4) return null
    const length = viewOf(this.#bytes).getInt32(this.#begin)
    if (length < 8 || length > START_BYTES_MAX) return this.#break('the connection does not begin with a start-up message')
    if (this.waitingBytes < length) return null
    return this.#guard(() => startMessage(new Fields(this.#take(length).subarray(4))))
  }

  /** The next message; null: more bytes are wanted. */
  next(): ClientMessage | null {
    if (this.#isBroken || this.waitingBytes < 5) return null
    const length = viewOf(this.#bytes).getInt32(this.#begin + 1)
    if (length < 4) return this.#break('a message says that it is shorter than its length')
    if (length > this.#bytesMax) return this.#break(`a message has ${length} bytes; at most ${this.#bytesMax} are taken`)
    if (this.waitingBytes < length + 1) return null
    const bytes = this.#take(length + 1)
    return this.#guard(() => clientMessage(String.fromCharCode(bytes[0] ?? 0), new Fields(bytes.subarray(5))))
  }

  #take(length: number): Uint8Array {
    return this.#bytes.subarray(this.#begin, (this.#begin += length))
  }

  #guard<T>(read: () => T | { type: 'broken'; reason: string }): T | { type: 'broken'; reason: string } {
    try {
      const message = read()
      if (typeof message === 'object' && message !== null && 'reason' in message) this.#isBroken = true
      return message
    } catch (error) {
      // RangeError and TypeError of DataView and TextDecoder: a field that goes over the end, or text that is no UTF-8.
      if (error instanceof RangeError || error instanceof TypeError) return this.#break('a message is not of its form')
      throw error
    }
  }

  #break(reason: string): { type: 'broken'; reason: string } {
    this.#isBroken = true
    this.#end = this.#begin
    return { type: 'broken', reason }
  }
}

function startMessage(fields: Fields): StartMessage {
  const code = fields.int32()
  if (code === SSL_REQUEST) return { type: 'ssl' }
  if (code === GSS_REQUEST) return { type: 'gss' }
  if (code === CANCEL_REQUEST) return { type: 'cancel', pid: fields.int32(), secret: fields.int32() }
  if (code >>> 16 !== VERSION_3) return { type: 'broken', reason: `protocol ${code >>> 16}.${code & 0xffff} is not spoken here; 3.0 is` }
  const parameters: Record<string, string> = {}
  for (let name = fields.text(); name !== ''; name = fields.text()) parameters[name] = fields.text()
  return { type: 'startup', minor: code & 0xffff, parameters }
}

function clientMessage(type: string, fields: Fields): ClientMessage {
  const message = readClientMessage(type, fields)
  if (message.type !== 'broken' && fields.left > 0) return { type: 'broken', reason: `a message ${type} is longer than its fields` }
  return message
}

function readClientMessage(type: string, fields: Fields): ClientMessage {
  switch (type) {
    case 'Q':
      return { type: 'query', sql: fields.text() }
    case 'P':
      return { type: 'parse', name: fields.text(), sql: fields.text(), parameterTypes: fields.list(() => fields.int32() >>> 0) }
    case 'B':
      return {
        type: 'bind',
        portal: fields.text(),
        statement: fields.text(),
        formats: fields.list(() => fields.int16()),
        values: fields.list(() => fields.value()),
        resultFormats: fields.list(() => fields.int16()),
      }
    case 'D':
    case 'C': {
      const of = fields.byte()
      if (of !== 'S' && of !== 'P')
        return { type: 'broken', reason: `nothing of the kind ${JSON.stringify(of)} can be described or closed` }
      return { type: type === 'D' ? 'describe' : 'close', of: of === 'S' ? 'statement' : 'portal', name: fields.text() }
    }
    case 'E':
      return { type: 'execute', portal: fields.text(), rowsMax: Math.max(0, fields.int32()) }
    case 'S':
      return { type: 'sync' }
    case 'H':
      return { type: 'flush' }
    case 'X':
      return { type: 'terminate' }
    case 'p':
      return { type: 'password', body: fields.rest() }
    case 'd':
    case 'c':
    case 'f':
      fields.rest()
      return { type: 'copy' }
    default:
      return { type: 'broken', reason: `there is no message ${JSON.stringify(type)}` }
  }
}

/** The body of a message, field by field. Throws RangeError or TypeError where it is not of its form. */
export class Fields {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = viewOf(bytes)
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  byte(): string {
    return String.fromCharCode(this.#view.getUint8(this.#move(1)))
  }

  int16(): number {
    return this.#view.getInt16(this.#move(2))
  }

  int32(): number {
    return this.#view.getInt32(this.#move(4))
  }

  /** Up to its NUL. */
  text(): string {
    const end = this.#bytes.indexOf(0, this.#at)
    if (end < 0) throw new RangeError('text without an end')
    const text = decoder.decode(this.#bytes.subarray(this.#at, end))
    this.#at = end + 1
    return text
  }

  list<T>(read: () => T): T[] {
    const count = this.#view.getUint16(this.#move(2))
    // Each takes at least two bytes: a count that cannot be true is found before anything is made of it.
    if (count * 2 > this.left) throw new RangeError('a list that is longer than its message')
    return Array.from({ length: count }, read)
  }

  /** Length and bytes; −1 is NULL. */
  value(): Uint8Array | null {
    const length = this.int32()
    if (length === -1) return null
    if (length < 0 || length > this.left) throw new RangeError('a value that is longer than its message')
    return this.#bytes.slice(this.#at, (this.#at += length))
  }

  rest(): Uint8Array {
    return this.#bytes.slice(this.#at, (this.#at = this.#bytes.length))
  }

  #move(length: number): number {
    const at = this.#at
    this.#at += length
    return at
  }
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
