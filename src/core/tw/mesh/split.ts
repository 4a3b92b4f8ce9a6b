import type { MeshSplit } from '../../contracts/mesh.ts'

/** A split in the form the data plane asks: cumulative upper ends of buckets, the new version's first. */
export interface CompiledSplit {
  split: MeshSplit
  subsets: readonly string[]
  /** `subsets[i]` takes the buckets in [ends[i-1], ends[i]) */
  ends: readonly number[]
}

/**
 * Orders the subsets so that those of arm `canary` take the lowest buckets: then raising their share keeps everybody who
 * is in, and returning it to 0 moves nobody else.
 */
export function compileSplit(split: MeshSplit): CompiledSplit {
  const rank = (subset: string): number => (split.arms[subset] === 'canary' ? 0 : 1)
  const subsets = Object.keys(split.shares).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0))
  let end = 0
  const ends = subsets.map((subset) => (end += split.shares[subset] ?? 0))
  return { split, subsets, ends }
}

/** The subset whose buckets hold `bucket` (0..999,999); null only if the shares do not reach it. */
export function subsetOf(compiled: CompiledSplit, bucket: number): string | null {
  for (let i = 0; i < compiled.ends.length; i += 1) {
    if (bucket < (compiled.ends[i] ?? 0)) return compiled.subsets[i] ?? null
  }
  return null
}
