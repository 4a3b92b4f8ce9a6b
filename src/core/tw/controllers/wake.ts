/** Earliest of the times somebody wants to be woken at; null: never. */
export function earliest(times: readonly (number | null)[]): number | null {
  let best: number | null = null
  for (const time of times) if (time !== null && (best === null || time < best)) best = time
  return best
}
