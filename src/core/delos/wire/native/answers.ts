import type { KeyValue } from '../messages.ts'
import type { RpcError } from '../service.ts'
import { FrameWriter } from './frame-writer.ts'

/** Kinds of answers. They are kept with a session, so a number is never used for another one. */
const ANSWER = { changed: 1, nothing: 2, refused: 3, message: 4, found: 5 } as const

/** Bytes of `found` before its value: mod, create and version f64, lease i64, length u32. */
const FOUND_HEAD_BYTES = 36

/**
 * Answers in the order of the operations. Operations that each made one change, at revisions one after the other, share one answer, so
 * a frame of puts is answered by eleven bytes.
 */
export class AnswerWriter {
  readonly #writer = new FrameWriter(1024)
  #run = 0
  #first = 0
  #runAt = 0

  /** The operation changed something, at this revision. */
  changed(revision: number): void {
    if (this.#run > 0 && revision === this.#first + this.#run && this.#run < 0xffff) {
      this.#run += 1
      return
    }
    this.#close()
    this.#runAt = this.#writer.length
    this.#run = 1
    this.#first = revision
    this.#writer.u8(ANSWER.changed)
    this.#writer.u16(0)
    this.#writer.f64(revision)
  }

  /** A deletion that found no key, or a get of none. */
  nothing(revision: number): void {
    this.#close()
    this.#writer.u8(ANSWER.nothing)
    this.#writer.f64(revision)
  }

  refused({ code, text }: RpcError): void {
    this.#close()
    this.#writer.u8(ANSWER.refused)
    this.#writer.u8(code)
    const at = this.#writer.length
    this.#writer.u16(0)
    this.#writer.setU16(at, this.#writer.text(text))
  }

  /** @param bytes etcd's response in protobuf */
  message(bytes: Uint8Array): void {
    this.#close()
    this.#writer.u8(ANSWER.message)
    this.#writer.u32(bytes.length)
    this.#writer.raw(bytes)
  }

  /** The same without the bytes, which follow in pieces of `length` together. */
  messageOf(length: number): void {
    this.#close()
    this.#writer.u8(ANSWER.message)
    this.#writer.u32(length)
  }

  raw(bytes: Uint8Array): void {
    this.#writer.raw(bytes)
  }

  found({ mod_revision, create_revision, version, lease, value }: KeyValue): void {
    this.#close()
    const writer = this.#writer
    writer.u8(ANSWER.found)
    writer.f64(mod_revision)
    writer.f64(create_revision)
    writer.f64(version)
    writer.i64(lease)
    writer.u32(value.length)
    writer.raw(value)
  }

  /** All of them; the writer begins anew. */
  take(): Uint8Array {
    this.#close()
    return this.#writer.take()
  }

  #close(): void {
    if (this.#run > 0) this.#writer.setU16(this.#runAt + 1, this.#run)
    this.#run = 0
  }
}

/** Who hears answers, by the place of their operation. Bytes are views of the frame. */
export interface AnswerListener {
  changed(index: number, revision: number): void
  nothing(index: number, revision: number): void
  refused(index: number, error: RpcError): void
  message(index: number, bytes: Uint8Array): void
  /** the key is the one that was asked for */
  found(index: number, found: Omit<KeyValue, 'key'>): void
}

const decoder = new TextDecoder()

/** Tells `listener` each of `count` answers. False: these bytes are not so many answers; those before were told. */
export function readAnswers(bytes: Uint8Array, from: number, count: number, listener: AnswerListener): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { length } = bytes
  let at = from
  let index = 0
  while (index < count) {
    if (at >= length) return false
    const kind = view.getUint8(at)
    at += 1
    if (kind === ANSWER.changed) {
      if (at + 10 > length) return false
      const run = view.getUint16(at)
      const first = view.getFloat64(at + 2)
      at += 10
      if (run === 0 || index + run > count) return false
      for (let i = 0; i < run; i += 1) listener.changed(index + i, first + i)
      index += run
      continue
    }
    if (kind === ANSWER.nothing) {
      if (at + 8 > length) return false
      listener.nothing(index, view.getFloat64(at))
      at += 8
    } else if (kind === ANSWER.refused) {
      if (at + 3 > length) return false
      const end = at + 3 + view.getUint16(at + 1)
      if (end > length) return false
      listener.refused(index, { code: view.getUint8(at), text: decoder.decode(bytes.subarray(at + 3, end)) })
      at = end
    } else if (kind === ANSWER.message) {
      if (at + 4 > length) return false
      const end = at + 4 + view.getUint32(at)
      if (end > length) return false
      listener.message(index, bytes.subarray(at + 4, end))
      at = end
    } else if (kind === ANSWER.found) {
      const valueAt = at + FOUND_HEAD_BYTES
      if (valueAt > length) return false
      const end = valueAt + view.getUint32(at + 32)
      if (end > length) return false
      listener.found(index, {
        mod_revision: view.getFloat64(at),
        create_revision: view.getFloat64(at + 8),
        version: view.getFloat64(at + 16),
        lease: view.getBigInt64(at + 24),
        value: bytes.subarray(valueAt, end),
      })
      at = end
    } else return false
    index += 1
  }
  return at === length
}
