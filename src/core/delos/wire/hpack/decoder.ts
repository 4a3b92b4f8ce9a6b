import { byteString } from '../../../kernel/protobuf/byte-string.ts'
import { huffmanDecode } from './huffman.ts'
import { ENTRY_OVERHEAD_BYTES, HeaderTable } from './table.ts'

const CACHED_BLOCKS_MAX = 8
const CACHED_BLOCK_BYTES_MAX = 512

/** Why a block was not decoded: it breaks the rules of RFC 7541, or is longer than is allowed. */
export type HeaderFault = 'invalid' | 'too large'

interface CachedBlock<Head> {
  bytes: Uint8Array
  generation: number
  head: Head
}

/**
 * Decodes the header blocks of one connection, in their order. Callers of an API send the same few blocks over and over, and those change
 * nothing in the table once it knows their fields: such a block is recognised by its bytes and costs a comparison.
 */
export class HpackDecoder<Head> {
  /** why the last `decode` gave null */
  fault: HeaderFault = 'invalid'
  private readonly table: HeaderTable
  private readonly tableBytesMax: number
  private readonly listBytesMax: number
  private readonly interpret: (fields: readonly string[]) => Head
  private readonly cached: CachedBlock<Head>[] = []
  private oldest = 0
  private bytes: Uint8Array = new Uint8Array(0)
  private at = 0
  private end = 0

  /**
   * @param tableBytesMax the SETTINGS_HEADER_TABLE_SIZE that we announced
   * @param listBytesMax names and values with 32 bytes a field (RFC 9113, section 6.5.2)
   * @param interpret makes of names and values, in turn, what the caller wants; its result may be shared by requests with equal blocks
   */
  constructor(tableBytesMax: number, listBytesMax: number, interpret: (fields: readonly string[]) => Head) {
    this.table = new HeaderTable(tableBytesMax)
    this.tableBytesMax = tableBytesMax
    this.listBytesMax = listBytesMax
    this.interpret = interpret
  }

  /** blocks that are known byte for byte */
  get blocks(): number {
    return this.cached.length
  }

  /** Null after a fault; then the table is of no use any more and the connection has to end. */
  decode(bytes: Uint8Array, start: number, end: number): Head | null {
    const known = this.recall(bytes, start, end)
    if (known !== undefined) return known.head
    const { generation } = this.table
    const fields = this.fields(bytes, start, end)
    if (fields === null) return null
    const head = this.interpret(fields)
    if (generation === this.table.generation && end - start <= CACHED_BLOCK_BYTES_MAX) {
      this.cached[this.oldest] = { bytes: bytes.slice(start, end), generation, head }
      this.oldest = (this.oldest + 1) % CACHED_BLOCKS_MAX
    }
    return head
  }

  private recall(bytes: Uint8Array, start: number, end: number): CachedBlock<Head> | undefined {
    const { generation } = this.table
    next: for (const block of this.cached) {
      if (block.generation !== generation || block.bytes.length !== end - start) continue
      for (let i = 0; i < block.bytes.length; i += 1) if (block.bytes[i] !== bytes[start + i]) continue next
      return block
    }
    return undefined
  }

  private fields(bytes: Uint8Array, start: number, end: number): string[] | null {
    this.bytes = bytes
    this.at = start
    this.end = end
    this.fault = 'invalid'
    const fields: string[] = []
    let listBytes = 0
    while (this.at < end) {
      const first = bytes[this.at] as number
      // Section 4.2: a change of the size comes before all fields.
      if ((first & 0xe0) === 0x20) {
        const size = this.integer(5)
        if (size < 0 || size > this.tableBytesMax || fields.length > 0) return null
        this.table.resize(size)
        continue
      }
      const isIndexed = first >= 0x80
      const isInserted = !isIndexed && first >= 0x40
      const index = this.integer(isIndexed ? 7 : isInserted ? 6 : 4)
      if (index < 0 || (isIndexed && index === 0)) return null
      const name = index === 0 ? this.string() : this.table.name(index)
      const value = isIndexed ? this.table.value(index) : this.string()
      if (name == null || value == null) return null
      listBytes += name.length + value.length + ENTRY_OVERHEAD_BYTES
      if (listBytes > this.listBytesMax) {
        this.fault = 'too large'
        return null
      }
      if (isInserted) this.table.insert(name, value)
      fields.push(name, value)
    }
    return fields
  }

  /** Section 5.1. -1 if it is cut off or larger than anything here can be. */
  private integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1
    let value = (this.bytes[this.at++] as number) & mask
    if (value < mask) return value
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.at >= this.end) return -1
      const byte = this.bytes[this.at++] as number
      value += (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    return -1
  }

  /** Section 5.2. */
  private string(): string | null {
    if (this.at >= this.end) return null
    const isHuffman = (this.bytes[this.at] as number) >= 0x80
    const length = this.integer(7)
    if (length < 0 || length > this.end - this.at) return null
    const start = this.at
    this.at += length
    return isHuffman ? huffmanDecode(this.bytes, start, this.at) : byteString(this.bytes, start, this.at)
  }
}
