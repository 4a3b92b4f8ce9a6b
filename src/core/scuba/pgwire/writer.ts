import type { PgType } from './types.ts'
import { binaryValue } from './binary.ts'

/** What a server of PostgreSQL's protocol 3 says, as bytes. */

export interface PgField {
  name: string
  type: PgType
}

/** Text and binary, as the protocol counts them. */
export type Format = 0 | 1

/** Fields of an error or a notice; `position` counts characters of the statement from 1. */
export interface PgProblem {
  severity: 'ERROR' | 'FATAL' | 'WARNING' | 'NOTICE'
  sqlState: string
  message: string
  detail?: string | undefined
  hint?: string | undefined
  position?: number | undefined
}

const encoder = new TextEncoder()

/** Messages one behind the other, in one growing buffer. */
export class MessageWriter {
  #bytes = new Uint8Array(1024)
  #view = new DataView(this.#bytes.buffer)
  #at = 0
  #begin = 0

  get length(): number {
    return this.#at
  }

  /** What was written since the last time. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#at)
    this.#at = 0
    return taken
  }

  /** AuthenticationRequest: 0 good, 10 SASL with its mechanisms, 11 and 12 its next and last word. */
  authentication(code: 0 | 10 | 11 | 12, body: Uint8Array = new Uint8Array(0)): void {
    this.#message('R', () => {
      this.#int32(code)
      this.#raw(body)
    })
  }

  /** The client asked for more than 3.0, which is what is spoken; none of its options is known. */
  negotiate(options: readonly string[]): void {
    this.#message('v', () => {
      this.#int32(0)
      this.#int32(options.length)
      for (const option of options) this.#text(option)
    })
  }

  parameterStatus(name: string, value: string): void {
    this.#message('S', () => {
      this.#text(name)
      this.#text(value)
    })
  }

  backendKey(pid: number, secret: number): void {
    this.#message('K', () => {
      this.#int32(pid)
      this.#int32(secret)
    })
  }

  /** `I` idle, `T` in a transaction, `E` in one that failed. */
  ready(status: 'I' | 'T' | 'E'): void {
    this.#message('Z', () => this.#raw(encoder.encode(status)))
  }

  parseComplete(): void {
    this.#message('1')
  }

  bindComplete(): void {
    this.#message('2')
  }

  closeComplete(): void {
    this.#message('3')
  }

  noData(): void {
    this.#message('n')
  }

  emptyQuery(): void {
    this.#message('I')
  }

  portalSuspended(): void {
    this.#message('s')
  }

  complete(tag: string): void {
    this.#message('C', () => this.#text(tag))
  }

  parameterDescription(oids: readonly number[]): void {
    this.#message('t', () => {
      this.#int16(oids.length)
      for (const oid of oids) this.#int32(oid)
    })
  }

  rowDescription(fields: readonly PgField[], formats: readonly Format[]): void {
    this.#message('T', () => {
      this.#int16(fields.length)
      fields.forEach(({ name, type }, index) => {
        this.#text(name)
        // Of no table: rows come from a view of files.
        this.#int32(0)
        this.#int16(0)
        this.#int32(type.oid)
        this.#int16(type.size)
        this.#int32(-1)
        this.#int16(formats[index] ?? 0)
      })
    })
  }

  /** @param row values in PostgreSQL's text form */
  dataRow(row: readonly (string | null)[], fields: readonly PgField[], formats: readonly Format[]): void {
    this.#message('D', () => {
      this.#int16(row.length)
      row.forEach((text, index) => {
        if (text === null) return this.#int32(-1)
        const field = fields[index]
        if (formats[index] !== 1 || field === undefined) return this.#sized(() => this.#chars(text))
        const bytes = binaryValue(field.type.oid, text)
        this.#int32(bytes.length)
        this.#raw(bytes)
      })
    })
  }

  copyOut(columns: number): void {
    this.#message('H', () => {
      this.#raw(new Uint8Array([0]))
      this.#int16(columns)
      for (let index = 0; index < columns; index += 1) this.#int16(0)
    })
  }

  copyData(line: string): void {
    this.#message('d', () => this.#chars(line))
  }

  copyDone(): void {
    this.#message('c')
  }

  problem({ severity, sqlState, message, detail, hint, position }: PgProblem): void {
    this.#message(severity === 'ERROR' || severity === 'FATAL' ? 'E' : 'N', () => {
      const fields: [string, string | undefined][] = [
        ['S', severity],
        ['V', severity],
        ['C', sqlState],
        ['M', message],
        ['D', detail],
        ['H', hint],
        ['P', position === undefined ? undefined : String(position)],
      ]
      for (const [code, value] of fields) {
        if (value === undefined) continue
        this.#raw(encoder.encode(code))
        this.#text(value)
      }
      this.#raw(new Uint8Array([0]))
    })
  }

  #message(type: string, body?: () => void): void {
    this.#begin = this.#at
    this.#room(5)
    this.#bytes[this.#at] = type.charCodeAt(0)
    this.#at += 5
    body?.()
    this.#view.setInt32(this.#begin + 1, this.#at - this.#begin - 1)
  }

  /** Its length, then what it writes. */
  #sized(write: () => void): void {
    const at = this.#at
    this.#int32(0)
    write()
    this.#view.setInt32(at, this.#at - at - 4)
  }

  #int16(value: number): void {
    this.#room(2)
    this.#view.setInt16(this.#at, value)
    this.#at += 2
  }

  #int32(value: number): void {
    this.#room(4)
    this.#view.setInt32(this.#at, value)
    this.#at += 4
  }

  /** Ends with a NUL, so it can hold none. */
  #text(text: string): void {
    this.#chars(text.replaceAll('\0', '\uFFFD'))
    this.#raw(new Uint8Array([0]))
  }

  #chars(text: string): void {
    this.#room(text.length * 3)
    this.#at += encoder.encodeInto(text, this.#bytes.subarray(this.#at)).written
  }

  #raw(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#at)
    this.#at += bytes.length
  }

  #room(length: number): void {
    if (this.#at + length <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + length))
    larger.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = larger
    this.#view = new DataView(larger.buffer)
  }
}
