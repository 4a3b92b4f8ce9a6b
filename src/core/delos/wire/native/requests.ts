import type { FrameWriter } from './frame-writer.ts'
import { FRAME, frame, OPS_MAX, READ_HEAD_BYTES, WRITE_HEAD_BYTES } from './frames.ts'
import { OP, OpCursor } from './ops.ts'

/** Who a connection speaks for: a token, or a name and a password for which a token is wanted; nobody if all are empty. */
export interface Hello {
  token: string
  user: string
  password: string
}

export interface WriteHead {
  session: number
  /** 0: opens the session */
  seq: number
  /** the client knows the answers of all frames below */
  floor: number
  count: number
}

export interface ReadHead {
  id: number
  isSerializable: boolean
  count: number
}

const decoder = new TextDecoder()

/** A read's id or a write's session, seq and floor are natural numbers below 2^53. */
const isNatural = (value: number): boolean => Number.isSafeInteger(value) && value >= 0

export function writeHello(writer: FrameWriter, hello: Hello): void {
  frame(writer, FRAME.hello, () => {
    for (const text of [hello.token, hello.user, hello.password]) writeText(writer, text)
  })
}

/** @param body of the frame, after its kind. Null: it is none */
export function readHello(body: Uint8Array): Hello | null {
  const texts = readTexts(body, 0, 3)
  return texts === null ? null : { token: texts[0] ?? '', user: texts[1] ?? '', password: texts[2] ?? '' }
}

/** The frame that opens a session. */
export function writeOpening(writer: FrameWriter, session: number, floor: number): void {
  frame(writer, FRAME.write, () => {
    for (const value of [session, 0, floor]) writer.f64(value)
    writer.u16(0)
  })
}

/** Null: it is none. Says nothing about the operations behind it. */
export function readWriteHead(body: Uint8Array): WriteHead | null {
  if (body.length < WRITE_HEAD_BYTES) return null
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const head = { session: view.getFloat64(0), seq: view.getFloat64(8), floor: view.getFloat64(16), count: view.getUint16(24) }
  if (!isNatural(head.session) || !isNatural(head.seq) || !isNatural(head.floor) || head.count > OPS_MAX) return null
  return head
}

export function readReadHead(body: Uint8Array): ReadHead | null {
  if (body.length < READ_HEAD_BYTES) return null
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const head = { id: view.getFloat64(0), isSerializable: view.getUint8(8) === 1, count: view.getUint16(9) }
  return isNatural(head.id) && head.count <= OPS_MAX ? head : null
}

/** Whether the operations behind a head are whole, and of a kind that such a frame may hold. */
export function areOps(body: Uint8Array, at: number, count: number, isWrite: boolean): boolean {
  const ops = new OpCursor(body, at, count)
  while (ops.next()) {
    const { kind } = ops
    const isKnown = isWrite ? kind === OP.put || kind === OP.delete || kind === OP.txn : kind === OP.get || kind === OP.range
    const isShaped = kind === OP.txn || kind === OP.range ? ops.keyAt === ops.keyEnd : kind === OP.put || ops.keyEnd === ops.end
    if (!isKnown || !isShaped) return false
  }
  return ops.isWhole
}

export function writeText(writer: FrameWriter, text: string): void {
  const at = writer.length
  writer.u16(0)
  writer.setU16(at, writer.text(text))
}

/** `count` texts, each behind its length, that end where the bytes do. */
export function readTexts(bytes: Uint8Array, from: number, count: number): string[] | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const texts: string[] = []
  let at = from
  for (let i = 0; i < count; i += 1) {
    if (at + 2 > bytes.length) return null
    const end = at + 2 + view.getUint16(at)
    if (end > bytes.length) return null
    texts.push(decoder.decode(bytes.subarray(at + 2, end)))
    at = end
  }
  return at === bytes.length ? texts : null
}
