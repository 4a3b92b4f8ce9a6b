/**
 * Placements as `TasksPlaced` carries them: 16 bytes a record, little-endian, in base64.
 *
 *     u32 index | u32 node | u16 gpu mask | u16 gpu milli | u16 port block (0: none) | u16 flags (0)
 */
export interface PlacedRecord {
  index: number
  /** id of `tw_node_load` */
  node: number
  /** bit i: device i of the node */
  gpuMask: number
  /** thousandths of each of these devices */
  gpuMilli: number
}

const RECORD_BYTES = 16
/** Bytes that become a text at once; each is an argument of one call. */
const CHUNK = 8192

export function packRecords(records: readonly PlacedRecord[]): string {
  const bytes = new Uint8Array(records.length * RECORD_BYTES)
  const view = new DataView(bytes.buffer)
  records.forEach(({ index, node, gpuMask, gpuMilli }, i) => {
    const at = i * RECORD_BYTES
    view.setUint32(at, index, true)
    view.setUint32(at + 4, node, true)
    view.setUint16(at + 8, gpuMask, true)
    view.setUint16(at + 10, gpuMilli, true)
  })
  let text = ''
  for (let at = 0; at < bytes.length; at += CHUNK) text += Reflect.apply(String.fromCharCode, null, bytes.subarray(at, at + CHUNK))
  return btoa(text)
}

const unpacked = new WeakMap<object, readonly PlacedRecord[]>()

/** The records of an entry's body: several look at them, and unpack them once. */
export function recordsIn(body: { records: string }): readonly PlacedRecord[] {
  const known = unpacked.get(body)
  if (known !== undefined) return known
  const records = unpackRecords(body.records)
  unpacked.set(body, records)
  return records
}

/** The records; what is no whole record at the end is passed over. */
export function unpackRecords(packed: string): PlacedRecord[] {
  const text = atob(packed)
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i)
  const view = new DataView(bytes.buffer)
  return Array.from({ length: Math.floor(bytes.length / RECORD_BYTES) }, (_, i) => {
    const at = i * RECORD_BYTES
    return {
      index: view.getUint32(at, true),
      node: view.getUint32(at + 4, true),
      gpuMask: view.getUint16(at + 8, true),
      gpuMilli: view.getUint16(at + 10, true),
    }
  })
}
