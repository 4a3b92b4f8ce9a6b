/** Reflected Castagnoli polynomial (RFC 3720, appendix B.4). */
const POLYNOMIAL = 0x82f63b78

/** Table k, entry b: the CRC of byte b followed by k zero bytes; eight tables in one array ("slicing by 8"). */
const TABLES = new Int32Array(8 * 256)
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
 * @returns an unsigned 32-bit integer; `crc32c('123456789')` is 0xe3069283
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let crc = -1
  let i = start
  for (; i + 8 <= end; i += 8) {
    const low = crc ^ view.getInt32(i, true)
    const high = view.getInt32(i + 4, true)
    crc =
      entry(7, low) ^
      entry(6, low >>> 8) ^
      entry(5, low >>> 16) ^
      entry(4, low >>> 24) ^
      entry(3, high) ^
      entry(2, high >>> 8) ^
      entry(1, high >>> 16) ^
      entry(0, high >>> 24)
  }
  for (; i < end; i += 1) crc = (crc >>> 8) ^ entry(0, crc ^ view.getUint8(i))
  return (crc ^ -1) >>> 0
}
