/*
 * ClickHouse's format Native: blocks of columns, which take and give every value bit by bit. A text form would not: 18.16 reads about two
 * fractions in a hundred with another last bit than was written. The engine has its rows in columns too, in nearly the same form.
 */

/** A column of one block as the engine has it in memory. */
export interface NativeColumn {
  /** as the table in ClickHouse has them */
  name: string
  type: string
  /**
   * Values one behind the other, little endian; of a text 16 bytes each: its length in four, then itself where it has at most 12 bytes,
   * else four of its bytes and where it is.
   */
  values: Uint8Array
  /** a bit each, from the lowest: whether there is a value; null: there always is */
  validity: Uint8Array | null
  /** bytes of memory from where the long text of a row is; a few rows that follow may have theirs right behind it */
  longText: (row: number, sizeBytes: number) => Uint8Array
}

/** A text of up to so many bytes stands in its entry. */
const INLINE_MAX = 12
const ENTRY_BYTES = 16
/** a few bytes are copied faster one by one */
const FEW = 32
const encoder = new TextEncoder()

/** Puts blocks one behind the other into memory that grows with the largest. */
export class NativeWriter {
  #bytes = new Uint8Array(1 << 20)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** What was written since it was last taken; true until the next block. */
  take(): Uint8Array {
    const bytes = this.#bytes.subarray(0, this.#length)
    this.#length = 0
    return bytes
  }

  block(rows: number, columns: readonly NativeColumn[]): void {
    this.#room(20)
    this.#varint(columns.length)
    this.#varint(rows)
    for (const column of columns) {
      this.#text(encoder.encode(column.name))
      this.#text(encoder.encode(column.type))
      this.#room(rows)
      if (column.type.startsWith('Nullable(')) this.#nulls(rows, column.validity)
      if (column.type.includes('String')) this.#texts(rows, column)
      else this.#append(column.values)
    }
  }

  #nulls(rows: number, validity: Uint8Array | null): void {
    const [bytes, at] = [this.#bytes, this.#length]
    if (validity === null) bytes.fill(0, at, at + rows)
    else for (let row = 0; row < rows; row += 1) bytes[at + row] = isThere(validity, row) ? 0 : 1
    this.#length += rows
  }

  #texts(rows: number, { values, validity, longText }: NativeColumn): void {
    const entries = new DataView(values.buffer, values.byteOffset, values.byteLength)
    const lengthOf = (row: number): number => (validity === null || isThere(validity, row) ? entries.getUint32(row * ENTRY_BYTES, true) : 0)
    let total = 0
    for (let row = 0; row < rows; row += 1) total += lengthOf(row) + 5
    this.#room(total)
    const bytes = this.#bytes
    // Texts that lie one behind the other are fetched together: to fetch each costs more than all else.
    let run: Uint8Array = bytes
    let [runAt, runEnd] = [0, 0]
    for (let row = 0; row < rows; row += 1) {
      const length = lengthOf(row)
      this.#varint(length)
      let from = values
      let start = row * ENTRY_BYTES + 4
      if (length > INLINE_MAX) {
        if (runAt === runEnd) {
          runEnd = runLength(entries, row, rows, lengthOf)
          run = longText(row, runEnd)
          runAt = 0
        }
        from = run
        start = runAt
        runAt += length
      }
      const at = this.#length
      if (length <= FEW) for (let i = 0; i < length; i += 1) bytes[at + i] = from[start + i] ?? 0
      else bytes.set(from.subarray(start, start + length), at)
      this.#length += length
    }
  }

  #text(bytes: Uint8Array): void {
    this.#room(bytes.length + 5)
    this.#varint(bytes.length)
    this.#append(bytes)
  }

  #append(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** LEB128, as lengths and counts are written. */
  #varint(value: number): void {
    let rest = value
    for (; rest > 127; rest >>>= 7) this.#bytes[this.#length++] = (rest & 127) | 128
    this.#bytes[this.#length++] = rest
  }

  #room(more: number): void {
    if (this.#length + more <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more))
    larger.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = larger
  }
}

const isThere = (validity: Uint8Array, row: number): boolean => (((validity[row >> 3] ?? 0) >> (row & 7)) & 1) === 1

/** Bytes of the long texts from a row on that follow one another in memory without a gap. */
function runLength(entries: DataView, first: number, rows: number, lengthOf: (row: number) => number): number {
  const high = entries.getUint32(first * ENTRY_BYTES + 12, true)
  const low = entries.getUint32(first * ENTRY_BYTES + 8, true)
  let size = 0
  for (let row = first; row < rows; row += 1) {
    const length = lengthOf(row)
    if (length <= INLINE_MAX) continue
    const at = row * ENTRY_BYTES
    if (entries.getUint32(at + 8, true) !== low + size || entries.getUint32(at + 12, true) !== high) break
    size += length
  }
  return size
}
