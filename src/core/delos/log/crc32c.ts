/** Reflected Castagnoli polynomial (RFC 3720, appendix B.4). */
const POLYNOMIAL = 0x82f63b78

/** Table k, entry b: the CRC of byte b followed by k zero bytes; sixteen tables in one array ("slicing by 16"). */
const TABLES = new Int32Array(16 * 256)
for (let byte = 0; byte < 256; byte += 1) {
  let crc = byte
  for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0)
  TABLES[byte] = crc
}
for (let i = 256; i < TABLES.length; i += 1) {
  const previous = TABLES[i - 256] as number
  TABLES[i] = (previous >>> 8) ^ (TABLES[previous & 0xff] as number)
}

/** Indices below are masked to the table, so an entry is always there. */
const entry = (table: number, byte: number): number => TABLES[(table << 8) | (byte & 0xff)] as number

/**
 * CRC-32C of `bytes[start, end)`, the checksum of every record of the log.
 * @param before that of the bytes these follow on, when they come in pieces
 * @returns an unsigned 32-bit integer; `crc32c('123456789')` is 0xe3069283
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, before = 0): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let crc = before ^ -1
  let i = start
  for (; i + 16 <= end; i += 16) {
    const a = crc ^ view.getInt32(i, true)
    const b = view.getInt32(i + 4, true)
    const c = view.getInt32(i + 8, true)
    const d = view.getInt32(i + 12, true)
    crc =
      entry(15, a) ^
      entry(14, a >>> 8) ^
      entry(13, a >>> 16) ^
      entry(12, a >>> 24) ^
      entry(11, b) ^
      entry(10, b >>> 8) ^
      entry(9, b >>> 16) ^
      entry(8, b >>> 24) ^
      entry(7, c) ^
      entry(6, c >>> 8) ^
      entry(5, c >>> 16) ^
      entry(4, c >>> 24) ^
      entry(3, d) ^
      entry(2, d >>> 8) ^
      entry(1, d >>> 16) ^
      entry(0, d >>> 24)
  }
  for (; i < end; i += 1) crc = (crc >>> 8) ^ entry(0, crc ^ view.getUint8(i))
  return (crc ^ -1) >>> 0
}
