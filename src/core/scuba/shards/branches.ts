/** Leaves that are asked one by one; of more, a tree is made. */
export const DIRECT_MAX = 64
/** Branches of a tree: each is asked as one, and asks its own leaves. */
export const BRANCHES = 32

/**
 * Who is asked for whom: each branch is asked at its first leaf, which answers for the others of it. With up to
 * {@link DIRECT_MAX} leaves each is a branch of its own.
 */
export function branchesOf<T>(leaves: readonly T[]): T[][] {
  if (leaves.length <= DIRECT_MAX) return leaves.map((leaf) => [leaf])
  const branches = Array.from({ length: BRANCHES }, (): T[] => [])
  leaves.forEach((leaf, at) => branches[at % BRANCHES]?.push(leaf))
  return branches
}
