import { LIMITS } from '../limits.ts'

/** Bounds that rows of a table can meet, and what is said of those that did. */
export const CAPS = {
  columns: 'values in _rest: the table has all the columns it may have',
  newColumns: `values in _rest: ${LIMITS.newColumnsMax} new columns came within a minute`,
  names: `values in _rest: their key has more than ${LIMITS.keyBytesMax} bytes, or characters that no column has`,
  spellings: 'values in _rest: their key is a column in another spelling',
  values: `values were cut at ${LIMITS.valueBytesMax / 1024} KiB`,
  rows: 'rows are in quarantine: larger than 1 MiB',
  bodies: 'requests were refused: too large',
} as const

export type Cap = keyof typeof CAPS
export type CapCounts = Record<Cap, number>
export const CAP_NAMES = Object.keys(CAPS) as Cap[]

const NONE: CapCounts = { columns: 0, newColumns: 0, names: 0, spellings: 0, values: 0, rows: 0, bodies: 0 }

export const addCaps = (a: CapCounts, b: CapCounts): CapCounts =>
  Object.fromEntries(CAP_NAMES.map((cap) => [cap, a[cap] + b[cap]])) as CapCounts

/** How often rows of one table met its bounds, since the leaf started. */
export class Caps {
  readonly counts: CapCounts = { ...NONE }
  #told: CapCounts = { ...NONE }

  add(cap: Cap): void {
    this.counts[cap] += 1
  }

  /** What came since this was last asked. */
  takeNew(): [cap: Cap, count: number][] {
    const fresh = CAP_NAMES.map((cap): [Cap, number] => [cap, this.counts[cap] - this.#told[cap]]).filter(([, count]) => count > 0)
    this.#told = { ...this.counts }
    return fresh
  }
}
