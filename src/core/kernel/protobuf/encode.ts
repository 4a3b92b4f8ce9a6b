import { ByteWriter } from './byte-writer.ts'
import type { Codec } from './codec.ts'

const SMALL_BYTES = 256

/** A message on its own, as bytes of its own. */
export function encode<Message>(codec: Codec<Message>, message: Message): Uint8Array {
  const writer = new ByteWriter(SMALL_BYTES)
  codec.write(writer, message)
  return writer.take()
}
