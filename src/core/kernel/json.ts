/** JSON with sorted keys, so that equal values give equal text: for digests and comparisons. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (inner === null || typeof inner !== 'object' || Array.isArray(inner)) return inner
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
  })
}

/** JSON with bigints, each as `{"$i64": "…"}`: 64 bits are more than a JSON number keeps. */
export function bigintJson(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? { $i64: each.toString() } : each))
}

/** Reads what {@link bigintJson} wrote. */
export function parseBigintJson(text: string): unknown {
  return JSON.parse(text, (_key, each: unknown) =>
    each !== null && typeof each === 'object' && '$i64' in each ? BigInt(String(each.$i64)) : each,
  )
}
