/** Log time of a batch of the store's log, ms, read without the rest of it (`core/delos/engines/batch.ts`). */
export function batchTimeOf(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset, payload.byteLength).getFloat64(4)
}
