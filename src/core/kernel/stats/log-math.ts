/** Sums of likelihoods that would overflow as plain numbers: everything here is a natural logarithm. */

/** ln of the sum of e^x over `logs`; −∞ for none. */
export function logSumExp(logs: readonly number[]): number {
  let top = -Infinity
  for (const x of logs) if (x > top) top = x
  if (!Number.isFinite(top)) return top
  let sum = 0
  for (const x of logs) sum += Math.exp(x - top)
  return top + Math.log(sum)
}

/** ln of the mean of e^x over `logs`, which must not be empty. */
export function logMeanExp(logs: readonly number[]): number {
  return logSumExp(logs) - Math.log(logs.length)
}

/** ln of Σ wᵢ·e^xᵢ for pairs of weight and log value. */
export function logWeighted(terms: readonly (readonly [weight: number, log: number])[]): number {
  return logSumExp(terms.map(([weight, log]) => (weight > 0 ? Math.log(weight) + log : -Infinity)))
}

/** `count` numbers from `low` to `high`, both included, equally spaced in their logarithm. */
export function logSpaced(low: number, high: number, count: number): number[] {
  const step = Math.log(high / low) / (count - 1)
  return Array.from({ length: count }, (_, i) => low * Math.exp(step * i))
}

/** x·ln y with 0·ln 0 = 0. */
export function xLogY(x: number, y: number): number {
  return x === 0 ? 0 : x * Math.log(y)
}
