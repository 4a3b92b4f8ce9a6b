/** A batch as it stands in the log. */
export interface Entry {
  position: number
  count: number
  proposerId: number
  seq: number
  payload: Uint8Array
}

/** The key of an entry that kills who applies it. */
export const POISON_KEY = 255

export function keyOf({ payload }: Entry): number {
  return payload[0] ?? 0
}

export function valueOf({ payload }: Entry): number {
  return new DataView(payload.buffer, payload.byteOffset, payload.byteLength).getUint32(1)
}

export function payloadOf(key: number, value: number): Uint8Array {
  const payload = new Uint8Array(5)
  const view = new DataView(payload.buffer)
  view.setUint8(0, key)
  view.setUint32(1, value)
  return payload
}
