/**
 * Distinct counts by HyperLogLog over the engine's own 64-bit hash. A partial carries, for each register that was hit, the
 * largest rank in it, as `register * 64 + rank`. Hashes differ between engine versions, so partials of different ones
 * are never merged: the version is in the cache key.
 */

export const REGISTERS = 4096
/** When more than 1,000 groups travel. */
export const REGISTERS_MANY = 1024

/** Standard error of an estimate: 1.6 % with 4,096 registers, 3.25 % with 1,024. */
export const standardError = (registers: number): number => 1.04 / Math.sqrt(registers)

/** SQL of a hash that ClickHouse has, too, of a value as text: partials of a table whose rows are in both are merged. */
export const portableHashSql = (text: string): string => `md5_number_upper(${text})`

/**
 * SQL of a value's register and of what a register holds: low bits of the hash choose the register, the zeros above its highest bit give
 * the rank. The largest rank of a register is that of its least hash, so one rank is taken for each register instead of for each row.
 */
export function registerSql(
  value: string,
  registers: number,
  hash = `hash(${value})`,
): { register: string; least: string; code: (register: string, least: string) => string } {
  const bits = Math.log2(registers)
  return {
    // Small: the engine then has an array of all registers instead of looking each row's up.
    register: `CASE WHEN ${value} IS NOT NULL THEN (${hash} & ${registers - 1})::USMALLINT END`,
    least: `min(${hash})`,
    // No bit set: all of them were zero.
    code: (register, least) => {
      const rest = `(${least} >> ${bits})`
      return `${register}::INTEGER * 64 + CASE WHEN ${rest} = 0 THEN ${64 - bits + 1} ELSE ${64 - bits} - floor(log2(${rest}))::INTEGER END`
    },
  }
}

export class HyperLogLog {
  readonly ranks: Uint8Array

  constructor(registers: number) {
    this.ranks = new Uint8Array(registers)
  }

  /** Adds `register * 64 + rank`. */
  add(code: number): void {
    const register = Math.floor(code / 64)
    const rank = code % 64
    if (rank > (this.ranks[register] ?? 0)) this.ranks[register] = rank
  }

  merge(other: Pick<HyperLogLog, 'ranks'>): void {
    other.ranks.forEach((rank, register) => {
      if (rank > (this.ranks[register] ?? 0)) this.ranks[register] = rank
    })
  }

  /** Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), algorithm 6: no bias at either end. */
  estimate(): number {
    const m = this.ranks.length
    const longest = 64 - Math.log2(m)
    const counts = new Array<number>(longest + 2).fill(0)
    for (const rank of this.ranks) counts[rank] = (counts[rank] ?? 0) + 1
    let z = m * tau(1 - (counts[longest + 1] ?? 0) / m)
    for (let rank = longest; rank >= 1; rank -= 1) z = 0.5 * (z + (counts[rank] ?? 0))
    z += m * sigma((counts[0] ?? 0) / m)
    return Math.round(((m / (2 * Math.LN2)) * m) / z)
  }
}

function sigma(share: number): number {
  if (share === 1) return Infinity
  let x = share
  let y = 1
  let z = x
  for (let before = -1; z !== before;) {
    before = z
    x *= x
    z += x * y
    y += y
  }
  return z
}

function tau(share: number): number {
  if (share === 0 || share === 1) return 0
  let x = share
  let y = 1
  let z = 1 - x
  for (let before = -1; z !== before;) {
    before = z
    x = Math.sqrt(x)
    y *= 0.5
    z -= (1 - x) ** 2 * y
  }
  return z / 3
}
