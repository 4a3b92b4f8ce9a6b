import type { Partial } from '../../../core/scuba/merge/partial.ts'
import type { ViewFile } from '../../../core/scuba/plan/view.ts'
import type { CacheUse } from '../../../core/scuba/wire-types.ts'
import type { CachedPartial, PartialCache } from './partial-cache.ts'
import { SOURCES_AT_ONCE, sourcesOf, type PlannedSource } from './sources.ts'

/** µs; rows of [sinceUs, untilUs) */
export interface Range {
  sinceUs: number
  untilUs: number
}

/** Which partials a question needs: those known by `key`, of files that lie within the range. */
export interface PartsAsked {
  key: string
  range: Range
  /** files that have rows in the range */
  files: readonly ViewFile[]
}

export const isInside = ({ sinceUs, untilUs }: Range, { minUs, maxUs }: ViewFile): boolean => minUs >= sinceUs && maxUs < untilUs

/** What is known of these files, each once, and those of which nothing is. */
export function knownParts(partials: PartialCache, { key, files, range }: PartsAsked): { held: CachedPartial[]; missing: ViewFile[] } {
  const left = new Map(files.filter((file) => isInside(range, file)).map((file) => [file.path, file]))
  const held: CachedPartial[] = []
  for (const cached of partials.of(key)) {
    if (!cached.files.every(({ path }) => left.has(path))) continue
    for (const { path } of cached.files) left.delete(path)
    held.push(cached)
  }
  return { held, missing: files.filter((file) => left.has(file.path) || !isInside(range, file)) }
}

export const rowsIn = (sources: readonly PlannedSource[]): number =>
  sources.reduce((sum, { files }) => files.reduce((rows, file) => rows + file.rows, sum), 0)

/** Of more rows the smallest source is asked first: when it alone has too many groups, nothing else is asked. */
const PROBE_ROWS_MIN = 2_000_000

/** Files that are read together, all of whose rows are in the range, or of which only some are. */
export interface PartSource extends PlannedSource {
  isWhole: boolean
}

/**
 * All parts of a question, those that are known first, the others round by round. What was computed of whole files is kept.
 * @param files of the table, for what the disk has
 * @param compute what is not known, in the order of its sources
 */
export async function* partsOf(
  partials: PartialCache,
  asked: PartsAsked,
  files: readonly ViewFile[],
  use: CacheUse,
  compute: (sources: readonly PartSource[]) => Promise<(PartSource & { partial: Partial; costMs: number })[]>,
): AsyncGenerator<Partial[]> {
  await partials.recall(asked.key, files)
  const { held, missing } = knownParts(partials, asked)
  for (const cached of held) {
    partials.use(cached, Date.now())
    use.hits += 1
  }
  yield held.map(({ partial }) => partial)
  const sources = [true, false].flatMap((isWhole) =>
    sourcesOf(
      missing.filter((file) => isInside(asked.range, file) === isWhole),
      () => ({}),
    ).map((source): PartSource => ({ ...source, isWhole })),
  )
  for (const round of rounds(sources)) {
    const made = await compute(round)
    for (const { files: of, partial, costMs, isWhole } of made) {
      if (isWhole) partials.put(asked.key, { files: of, clip: {}, partial, costMs }, Date.now())
      use.misses += 1
    }
    yield made.map(({ partial }) => partial)
  }
}

/** Sources as they are asked, the smallest first. */
function* rounds<S extends PlannedSource>(sources: readonly S[]): Generator<S[]> {
  const sorted = sources.toSorted((a, b) => rowsIn([a]) - rowsIn([b]))
  if (rowsIn(sorted) > PROBE_ROWS_MIN) yield sorted.splice(0, 1)
  for (let at = 0; at < sorted.length; at += SOURCES_AT_ONCE) yield sorted.slice(at, at + SOURCES_AT_ONCE)
}
