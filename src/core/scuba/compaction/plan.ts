import type { Segment } from '../wal/manifest.ts'

/** Segments below this are small. */
export const SMALL_BYTES = 32 * 1024 * 1024
/** So many small ones of one hour, or of one day that has gone on, become one. */
export const SMALL_COUNT = 8
/** One segment is made of at most so many bytes: they are sorted as one, while queries wait for the engine. */
export const LOT_BYTES_MAX = 128 * 1024 * 1024

const HOUR_US = 3_600_000_000
const DAY_US = 24 * HOUR_US

type Small = Pick<Segment, 'file' | 'bytes' | 'minUs' | 'maxUs' | 'thinned'>

/**
 * Which small segments of a table become one. First those of one hour; what is left of hours that are over becomes one per
 * day, and what spans days (late rows) one per lot, so that quiet tables do not end with thousands of files. Segments of
 * different thinning stay apart, because the next thinning asks what was done before.
 * @param nowMs hours that ended before it get no more rows of their own
 * @param countMin how many it takes; {@link SMALL_COUNT} but when a person asks
 */
export function planCompaction<S extends Small>(segments: readonly S[], nowMs: number, countMin: number = SMALL_COUNT): S[][] {
  const small = segments.filter(({ bytes }) => bytes < SMALL_BYTES)
  const groups = enough(small, hourOf, countMin)
  const taken = new Set(groups.flat())
  const rest = small.filter((segment) => !taken.has(segment) && segment.maxUs < (Math.floor((nowMs * 1000) / HOUR_US) - 1) * HOUR_US)
  return [...groups, ...enough(rest, dayOf, countMin)]
}

function enough<S extends Small>(segments: readonly S[], keyOf: (segment: S) => string | null, countMin: number): S[][] {
  const groups = new Map<string, S[]>()
  for (const segment of segments.toSorted((a, b) => a.minUs - b.minUs || (a.file < b.file ? -1 : 1))) {
    const key = keyOf(segment)
    if (key === null) continue
    const id = `${key} ${segment.thinned ?? 1}`
    groups.set(id, [...(groups.get(id) ?? []), segment])
  }
  return [...groups.values()].flatMap(lotsOf).filter((lot) => lot.length >= countMin)
}

/** A group in lots that can each become one segment, in its order. */
function lotsOf<S extends Small>(group: readonly S[]): S[][] {
  const lots: S[][] = []
  let bytes = Infinity
  for (const segment of group) {
    if (bytes + segment.bytes > LOT_BYTES_MAX) {
      lots.push([])
      bytes = 0
    }
    lots.at(-1)?.push(segment)
    bytes += segment.bytes
  }
  return lots
}

function hourOf({ minUs, maxUs }: Small): string | null {
  const hour = Math.floor(minUs / HOUR_US)
  return hour === Math.floor(maxUs / HOUR_US) ? `hour ${hour}` : null
}

function dayOf({ minUs, maxUs }: Small): string {
  const day = Math.floor(minUs / DAY_US)
  return day === Math.floor(maxUs / DAY_US) ? `day ${day}` : 'late'
}
