import type { ByteWriter } from '../../../kernel/protobuf/byte-writer.ts'
import { huffmanBytes, huffmanEncode } from './huffman.ts'
import { HeaderTable } from './table.ts'

/** More than RFC 7541's default would only cost memory: we repeat few fields. */
const TABLE_BYTES_MAX = 4096

/** A field to send. `isKept`: the same pair will be sent again, so the peer should keep it in its table. */
export interface HeaderField {
  readonly name: string
  readonly value: string
  readonly isKept: boolean
}

interface Block {
  generation: number
  bytes: Uint8Array
}

/**
 * Encodes the header blocks of one connection. Blocks have to be sent in the order they are encoded in. A list of kept fields that
 * is sent as the same array again is copied from the last time.
 */
export class HpackEncoder {
  private readonly table = new HeaderTable(TABLE_BYTES_MAX)
  private readonly blocks = new WeakMap<readonly HeaderField[], Block>()
  /** sizes to announce before the next block (RFC 7541, section 4.2); -1 without */
  private smallest = -1
  private announced = -1

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  setTableBytesMax(bytes: number): void {
    const size = Math.min(bytes, TABLE_BYTES_MAX)
    this.smallest = this.smallest < 0 ? size : Math.min(this.smallest, size)
    this.announced = size
  }

  encode(writer: ByteWriter, fields: readonly HeaderField[]): void {
    if (this.announced >= 0) this.announce(writer)
    const known = this.blocks.get(fields)
    if (known !== undefined && known.generation === this.table.generation) return writer.raw(known.bytes)
    const { generation } = this.table
    const start = writer.at
    for (const field of fields) this.field(writer, field)
    if (generation === this.table.generation && fields.every(({ isKept }) => isKept)) {
      this.blocks.set(fields, { generation, bytes: writer.bytes.slice(start, writer.at) })
    }
  }

  private announce(writer: ByteWriter): void {
    if (this.smallest < this.announced) writeInteger(writer, 0x20, 5, this.smallest)
    writeInteger(writer, 0x20, 5, this.announced)
    this.table.resize(this.smallest)
    this.table.resize(this.announced)
    this.smallest = -1
    this.announced = -1
  }

  private field(writer: ByteWriter, { name, value, isKept }: HeaderField): void {
    const index = this.table.find(name, value)
    if (index > 0) return writeInteger(writer, 0x80, 7, index)
    if (isKept) writeInteger(writer, 0x40, 6, -index)
    else writeInteger(writer, 0x00, 4, -index)
    if (index === 0) writeString(writer, name)
    writeString(writer, value)
    if (isKept) this.table.insert(name, value)
  }
}

function writeInteger(writer: ByteWriter, flags: number, prefixBits: number, value: number): void {
  const mask = (1 << prefixBits) - 1
  if (value < mask) return writer.byte(flags | value)
  writer.byte(flags | mask)
  let rest = value - mask
  for (; rest > 0x7f; rest >>>= 7) writer.byte((rest & 0x7f) | 0x80)
  writer.byte(rest)
}

function writeString(writer: ByteWriter, text: string): void {
  const shorter = huffmanBytes(text)
  if (shorter < text.length) {
    writeInteger(writer, 0x80, 7, shorter)
    huffmanEncode(writer, text)
  } else {
    writeInteger(writer, 0x00, 7, text.length)
    writer.byteString(text)
  }
}
