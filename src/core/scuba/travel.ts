import { LIMITS } from './limits.ts'

/** Rows on their way to one client, counted: they are refused beyond a bound, and never cut. */
export class Travelled {
  rows = 0
  bytes = 0

  /** @param values texts by their length, anything else for a number */
  add(values: readonly unknown[]): void {
    this.rows += 1
    for (const value of values) this.bytes += typeof value === 'string' ? value.length + 4 : 8
  }

  /** Why there are too many, in words; null: there are not. */
  tooMuch(rowsMax: number = LIMITS.travelRowsMax): string | null {
    if (this.rows > rowsMax) return `the answer has more than ${rowsMax} rows`
    return this.bytes > LIMITS.travelBytesMax ? `the answer is more than ${LIMITS.travelBytesMax / 1024 / 1024} MB` : null
  }
}
