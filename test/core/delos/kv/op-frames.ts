import { FrameWriter } from '../../../../src/core/delos/wire/native/frame-writer.ts'
import { OP } from '../../../../src/core/delos/wire/native/ops.ts'

export interface Op {
  kind: number
  key: string
  body: Uint8Array
}

export const put = (key: string, value = 'v'): Op => ({ kind: OP.put, key, body: new TextEncoder().encode(value) })
export const remove = (key: string): Op => ({ kind: OP.delete, key, body: new Uint8Array() })

/** The body of a write frame. */
export function frame(session: number, seq: number, floor: number, ops: readonly Op[]): Uint8Array {
  const writer = new FrameWriter()
  for (const value of [session, seq, floor]) writer.f64(value)
  writer.u16(ops.length)
  for (const { kind, key, body } of ops) {
    writer.u8(kind)
    writer.u16(key.length)
    writer.u32(body.length)
    writer.byteString(key)
    writer.raw(body)
  }
  return writer.take()
}
