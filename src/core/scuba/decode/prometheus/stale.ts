/** Prometheus' own NaN (`model/value.StaleNaN`): the series has ended. */
export const STALE_NAN = 0x7ff0_0000_0000_0002n

const bits = new DataView(new ArrayBuffer(8))

/** Doubles travel as bits here, because a NaN that passed through a number may come out as another one. */
export function doubleOf(value: bigint): number {
  bits.setBigUint64(0, value)
  return bits.getFloat64(0)
}
