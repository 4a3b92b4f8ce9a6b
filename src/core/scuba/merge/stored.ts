import type { PlainValue } from '../wire-types.ts'
import type { Amount, Partial, PartialRow } from './partial.ts'

/** Form of {@link storedPartial}; what is of another one is no longer read. */
export const STORED_FORM = 1

type StoredAmount = number | null | { n: string }
type StoredRow = [key: readonly PlainValue[], hasId: 0 | 1, step: number | null, parts: StoredAmount[], sketches: PartialRow['sketches']]

/** A partial as text, to be kept; whole numbers beyond 2^53 as text of their own. */
export function storedPartial({ rows, all, ...rest }: Partial): string {
  const stored = rows.map(({ key, id, step, parts, sketches }): StoredRow => [key, id === '' ? 0 : 1, step, parts.map(store), sketches])
  return JSON.stringify({ ...rest, all: all?.map(store) ?? null, rows: stored })
}

/** The inverse. @throws SyntaxError, TypeError when it is no such text */
export function partialOfStored(text: string): Partial {
  const { rows, all, ...rest } = JSON.parse(text) as Omit<Partial, 'rows' | 'all'> & { rows: StoredRow[]; all: StoredAmount[] | null }
  return {
    ...rest,
    all: all?.map(restore) ?? null,
    rows: rows.map(([key, hasId, step, parts, sketches]) => ({
      ...{ key, id: hasId === 1 ? JSON.stringify(key) : '', step },
      ...{ parts: parts.map(restore), sketches },
    })),
  }
}

const store = (amount: Amount): StoredAmount => (typeof amount === 'bigint' ? { n: String(amount) } : amount)
const restore = (stored: StoredAmount): Amount => (stored !== null && typeof stored === 'object' ? BigInt(stored.n) : stored)
