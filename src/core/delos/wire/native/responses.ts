import type { RpcError } from '../service.ts'
import type { FrameWriter } from './frame-writer.ts'
import { FRAME, frame } from './frames.ts'
import { readTexts, writeText } from './requests.ts'

/** What a server says to a hello. */
export interface Welcome {
  /** of one frame of the client, from its kind on */
  frameBytesMax: number
  opsMax: number
  /** for the next hello; '' while nobody has to log in */
  token: string
}

/** What was refused: a hello, a write or a read. */
export const REFUSED = { hello: 0, write: 1, read: 2 } as const

export interface Refusal {
  of: number
  /** seq or id of the frame; 0 of a hello */
  id: number
  /** the operation that is at fault; -1: the frame as a whole. Nothing of a frame that is refused by an operation was done. */
  index: number
  error: RpcError
}

const NO_INDEX = 0xffff

export function writeWelcome(writer: FrameWriter, { frameBytesMax, opsMax, token }: Welcome): void {
  frame(writer, FRAME.welcome, () => {
    writer.u32(frameBytesMax)
    writer.u16(opsMax)
    writeText(writer, token)
  })
}

export function readWelcome(body: Uint8Array): Welcome | null {
  if (body.length < 8) return null
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const texts = readTexts(body, 6, 1)
  return texts === null ? null : { frameBytesMax: view.getUint32(0), opsMax: view.getUint16(4), token: texts[0] ?? '' }
}

/** @param kind `written` or `readings`; @param answers of an `AnswerWriter` */
export function writeAnswers(writer: FrameWriter, kind: number, id: number, count: number, answers: Uint8Array): void {
  frame(writer, kind, () => {
    writer.f64(id)
    writer.u16(count)
    writer.raw(answers)
  })
}

/** The beginning of such a frame, whose answers follow in pieces of `length` together. */
export function writeAnswersHead(writer: FrameWriter, kind: number, id: number, count: number, length: number): void {
  writer.u32(1 + ANSWERS_HEAD_BYTES + length)
  writer.u8(kind)
  writer.f64(id)
  writer.u16(count)
}

/** Bytes of `written` or `readings` before the answers. */
export const ANSWERS_HEAD_BYTES = 10

export function readAnswersHead(body: Uint8Array): { id: number; count: number } | null {
  if (body.length < ANSWERS_HEAD_BYTES) return null
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  return { id: view.getFloat64(0), count: view.getUint16(8) }
}

export function writeRefusal(writer: FrameWriter, { of, id, index, error }: Refusal): void {
  frame(writer, FRAME.refused, () => {
    writer.u8(of)
    writer.f64(id)
    writer.u16(index < 0 ? NO_INDEX : index)
    writer.u8(error.code)
    writeText(writer, error.text)
  })
}

export function readRefusal(body: Uint8Array): Refusal | null {
  if (body.length < 14) return null
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const texts = readTexts(body, 12, 1)
  if (texts === null) return null
  const index = view.getUint16(9)
  return {
    of: view.getUint8(0),
    id: view.getFloat64(1),
    index: index === NO_INDEX ? -1 : index,
    error: { code: view.getUint8(11), text: texts[0] ?? '' },
  }
}
