type Output = Readonly<Record<string, unknown>>

/**
 * What one operation gave on several leaves, as one answer: counts are added, lists put together, a yes of one is a yes; how long it
 * took is what the slowest took, what one of them does not know is what the others say, and everything else is the same on all of them.
 */
export function addUp(outputs: readonly Output[]): Output {
  const [first = {}, ...others] = outputs
  return others.reduce(
    (sum, other) => Object.fromEntries(Object.entries(sum).map(([name, value]) => [name, both(name, value, other[name])])),
    first,
  )
}

function both(name: string, a: unknown, b: unknown): unknown {
  if (a === null || b === null) return a ?? b
  if (typeof a === 'number' && typeof b === 'number') return name.endsWith('Ms') ? Math.max(a, b) : a + b
  if (typeof a === 'boolean' && typeof b === 'boolean') return a || b
  if (Array.isArray(a) && Array.isArray(b)) return [...(a as unknown[]), ...(b as unknown[])]
  return a
}
