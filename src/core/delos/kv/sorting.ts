import { SORT_ORDER, SORT_TARGET, type KeyValue, type RangeRequest } from '../wire/messages.ts'

type Compare = (a: KeyValue, b: KeyValue) => number

const ORDERS: Record<number, Compare> = {
  [SORT_TARGET.key]: (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0),
  [SORT_TARGET.version]: (a, b) => a.version - b.version,
  [SORT_TARGET.create]: (a, b) => a.create_revision - b.create_revision,
  [SORT_TARGET.mod]: (a, b) => a.mod_revision - b.mod_revision,
  [SORT_TARGET.value]: (a, b) => compareBytes(a.value, b.value),
}

/** The order a request asks for; null: that of the keys, in which they come. */
export function orderOf({ sort_target: target, sort_order: order }: RangeRequest): Compare | null {
  const compare = ORDERS[target]
  if (compare === undefined || (target === SORT_TARGET.key && order !== SORT_ORDER.descend)) return null
  return order === SORT_ORDER.descend ? (a, b) => compare(b, a) : compare
}

/** Pairs that are sorted at once before stretches of them are merged. */
const RUN = 1024

/**
 * Sorts as `Array.sort` does, equal ones staying as they are, a step at a time.
 * @param isDue told of every pair that is moved: whether to stop here for now
 */
export function* sortInSteps(pairs: readonly KeyValue[], compare: Compare, isDue: (count: number) => boolean): Generator<void, KeyValue[]> {
  let runs: KeyValue[][] = []
  for (let at = 0; at < pairs.length; at += RUN) {
    runs.push(pairs.slice(at, at + RUN).sort(compare))
    // Each pair of a run is compared about ten times.
    if (isDue(RUN * 8)) yield
  }
  while (runs.length > 1) {
    const merged: KeyValue[][] = []
    for (let i = 0; i < runs.length; i += 2) {
      const [left, right] = [runs[i] ?? [], runs[i + 1] ?? []]
      merged.push(right.length === 0 ? left : yield* merge(left, right, compare, isDue))
    }
    runs = merged
  }
  return runs[0] ?? []
}

function* merge(
  left: readonly KeyValue[],
  right: readonly KeyValue[],
  compare: Compare,
  isDue: (count: number) => boolean,
): Generator<void, KeyValue[]> {
  const merged: KeyValue[] = []
  let [l, r] = [0, 0]
  while (l < left.length || r < right.length) {
    const [a, b] = [left[l], right[r]]
    if (b === undefined || (a !== undefined && compare(a, b) <= 0)) {
      merged.push(a as KeyValue)
      l += 1
    } else {
      merged.push(b)
      r += 1
    }
    if (isDue(1)) yield
  }
  return merged
}

/** As memcmp, a prefix first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i += 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}
