/** Versions by Semantic Versioning 2.0.0, read leniently: a leading `v`, fewer or more than three numbers. */
export interface Version {
  numbers: number[]
  /** identifiers of a pre-release; empty: a release */
  pre: string[]
}

/** `v1.2.3-rc.1+build` → its parts; null when it does not begin with a number. Build metadata says nothing about order. */
export function parseVersion(text: string): Version | null {
  const match = /^v?(\d{1,9}(?:\.\d{1,9}){0,7})(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?$/.exec(text)
  return match?.[1] === undefined ? null : { numbers: match[1].split('.').map(Number), pre: match[2]?.split('.') ?? [] }
}

/**
 * Below 0, 0 or above 0, as `actual` comes before `bound`, with it or after it. A bound of fewer than three numbers and no
 * pre-release stands for all versions that begin so: 6.1.50 and the kernel 6.1.0-18-amd64 both are 6.1. Otherwise the
 * precedence of semver (section 11), so 6.1.0-rc.1 comes before 6.1.0.
 */
export function compareToBound(actual: Version, bound: Version): number {
  const isPartial = bound.numbers.length < 3 && bound.pre.length === 0
  const length = isPartial ? bound.numbers.length : Math.max(actual.numbers.length, bound.numbers.length)
  for (let i = 0; i < length; i += 1) {
    const difference = (actual.numbers[i] ?? 0) - (bound.numbers[i] ?? 0)
    if (difference !== 0) return difference
  }
  return isPartial ? 0 : comparePre(actual.pre, bound.pre)
}

function comparePre(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return b.length - a.length
  for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
    const [x, y] = [a[i], b[i]]
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1
    if (x === y) continue
    const [isXNumber, isYNumber] = [/^\d+$/.test(x), /^\d+$/.test(y)]
    if (isXNumber && isYNumber) return Number(x) - Number(y)
    if (isXNumber !== isYNumber) return isXNumber ? -1 : 1
    return x < y ? -1 : 1
  }
  return 0
}
