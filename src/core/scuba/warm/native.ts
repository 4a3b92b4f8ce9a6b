import { columnsOf, type ViewRequest } from '../plan/view.ts'
import type { ColumnType, ColumnTypes } from '../rows/columns.ts'
import { words } from '../sql/words.ts'
import type { Segment } from '../wal/manifest.ts'
import type { Artefact, NativeSpec } from './artefact.ts'
import { HEAT, type Want } from './heat.ts'

/*
 * A native copy holds few columns of a segment in the engine's own form. It takes as many bytes as they do in the segment and gives their
 * values sooner. What that saves was measured (README, "Native copies"): much of numbers, little of texts with few values, and of texts
 * with many values it is a loss; so those are not copied, and a question for which it would save too little is no reason for a copy.
 */

/** What one value less costs the engine's processor, ns. Of a text the gain is left out: it is small, and grouping may take it back. */
const SAVED_NS: Record<ColumnType, number> = { DOUBLE: 12, TIMESTAMP: 4, BIGINT: 3, BOOLEAN: 3, VARCHAR: 0 }
/** A text that is one of several keys is hashed once a row; from the segment, whose dictionary is larger, more seldom. */
const TEXT_KEY_NS = -5
/** What a question has to gain by a copy, in time. */
export const GAIN_MIN = 1.15
/** What a value costs to copy, ns, before any copy of the table was made. */
const BUILD_NS = 150
/** Share of a segment that a column of it is, before any copy of the table was made. */
export const COLUMN_SHARE = 0.02

/** A database file is never smaller. */
const FILE_BYTES_MIN = 512 * 1024

/** What of a table one question reads. */
export interface NativeQuestion {
  spec: NativeSpec
  /** ns of the processor that copies save of each row */
  savedNs: number
}

/**
 * What copies could do for a question.
 * @param asked names of the columns that it reads, as the view has them
 * @param more codes that it reads as well (`plan/codes.ts`); columns that are named and hardly read; whether it groups by texts and something else
 * @returns null: a column is another one in some of the files
 */
export function nativeQuestion(
  view: Pick<ViewRequest, 'columns' | 'derived' | 'retyped'>,
  asked: readonly string[],
  { codes = [], unread, hasTextKeys }: { codes?: readonly string[]; unread: readonly string[]; hasTextKeys: boolean },
): NativeQuestion | null {
  const { derived = [], retyped = [] } = view
  const names = new Set(['time', ...asked])
  // A derived column is made of stored ones; words of its expression are at least those.
  for (const { name, sql } of derived) {
    if (!names.delete(name)) continue
    const used = words(sql)
    for (const column of Object.keys(view.columns)) if (used.has(column.toLowerCase())) names.add(column)
  }
  if ([...names].some((name) => !(name in columnsOf(view)) || retyped.some((one) => name === one || name === `${one}$str`))) return null
  const typeOf = (name: string): ColumnType => (codes.includes(name) ? 'BIGINT' : (view.columns[name] ?? 'VARCHAR'))
  const columns: ColumnTypes = Object.fromEntries([...names, ...codes].sort().map((name) => [name, typeOf(name)]))
  const saved = Object.entries(columns).map(([name, type]) => (unread.includes(name) ? 0 : SAVED_NS[type]))
  return { spec: { kind: 'native', columns }, savedNs: saved.reduce((sum, ns) => sum + ns, 0) + (hasTextKeys ? TEXT_KEY_NS : 0) }
}

/** Time of an engine with so many threads that copies of rows save a question, ms. */
export const nativeSavedMs = ({ savedNs }: NativeQuestion, rows: number, threads: number): number =>
  Math.max(0, (rows * savedNs) / 1e6 / threads)

/** Whether that is enough of the time that it takes without them. */
export const isWorthCopies = (savedMs: number, tookMs: number): boolean => savedMs > 0 && savedMs >= tookMs * (1 - 1 / GAIN_MIN)

/** Whether a copy has all columns of another one. */
export const coversNative = (has: NativeSpec, wanted: NativeSpec): boolean =>
  Object.entries(wanted.columns).every(([name, type]) => has.columns[name] === type)

const isNative = (artefact: Artefact): artefact is Artefact & { spec: NativeSpec } => artefact.spec.kind === 'native'

export interface NativeView {
  /** of the table, the newest first */
  segments: readonly Segment[]
  /** artefacts of the table that stay */
  kept: readonly Artefact[]
  /** of the table, the hottest first */
  wants: readonly Want[]
  /** columns that are better read from segments */
  notCopied: ReadonlySet<string>
  /** bytes that are left for artefacts */
  room: number
  nowMs: number
}

/** Copies to make, the newest segments first, as long as what they would have saved lately pays for making them. */
export function planNative({
  segments,
  kept,
  wants,
  notCopied,
  room,
  nowMs,
}: NativeView): { segment: Segment; spec: NativeSpec; bytes: number }[] {
  const copies = kept.filter(isNative)
  const own = wants.flatMap(({ spec, ...want }) =>
    spec.kind === 'native' && !Object.keys(spec.columns).some((name) => notCopied.has(name)) ? [{ ...want, spec }] : [],
  )
  const spec = target(own, copies, segments, room)
  if (spec === null) return []
  const covered = own.filter((want) => coversNative(spec, want.spec))
  const heat = covered.reduce((sum, want) => sum + want.heat, 0)
  if (heat < HEAT.buildMs) return []
  const fromUs = Math.min(...covered.map((want) => want.fromUs))
  const { bytesOf, buildMsOf } = estimates(spec, copies, segments)
  let left = room
  let paidMs = heat - copies.reduce((sum, { builtAtMs, buildMs }) => sum + (nowMs - builtAtMs < HEAT.halfLifeMs ? buildMs : 0), 0)
  const plan: ReturnType<typeof planNative> = []
  for (const segment of segments) {
    if (segment.maxUs < fromUs || copies.some((copy) => copy.segment === segment.file && coversNative(copy.spec, spec))) continue
    // What it covers goes when it is there.
    const before = copies.filter((copy) => copy.segment === segment.file && coversNative(spec, copy.spec))
    const bytes = bytesOf(segment) - before.reduce((sum, copy) => sum + copy.bytes, 0)
    left -= bytes
    paidMs -= buildMsOf(segment)
    if (left < 0 || paidMs < 0) break
    plan.push({ segment, spec, bytes })
  }
  return plan
}

/**
 * The columns of a table's copies: those of the newest copy, and with them, once that is worth making copies anew, all that is wanted
 * and fits, the hottest first.
 */
function target(
  wants: readonly (Want & { spec: NativeSpec })[],
  copies: readonly (Artefact & { spec: NativeSpec })[],
  segments: readonly Segment[],
  room: number,
): NativeSpec | null {
  const [newest] = copies.toSorted((a, b) => b.builtAtMs - a.builtAtMs)
  const has: NativeSpec = newest?.spec ?? { kind: 'native', columns: {} }
  const missing = wants.filter(({ spec }) => !coversNative(has, spec))
  if (missing.reduce((sum, { heat }) => sum + heat, 0) < HEAT.buildMs) return newest?.spec ?? null
  // A want whose copies nobody uses any more takes its columns with it.
  const used = wants.filter(({ spec, coolSinceMs }) => coolSinceMs === null && coversNative(has, spec))
  const roomInAll = room + copies.reduce((sum, { bytes }) => sum + bytes, 0)
  let columns: ColumnTypes = {}
  for (const { spec, fromUs } of [...used, ...missing].toSorted((a, b) => b.heat - a.heat)) {
    const union = { ...columns, ...spec.columns }
    const bytes = segments.reduce((sum, segment) => sum + (segment.maxUs < fromUs ? 0 : segment.bytes), 0)
    if (Object.keys(columns).length === 0 || bytes * COLUMN_SHARE * Object.keys(union).length <= roomInAll) columns = union
  }
  return { kind: 'native', columns: Object.fromEntries(Object.entries(columns).sort(([a], [b]) => (a < b ? -1 : 1))) }
}

/** As the table's copies were, for each column and byte or row of their segments. */
function estimates(
  spec: NativeSpec,
  copies: readonly (Artefact & { spec: NativeSpec })[],
  segments: readonly Segment[],
): { bytesOf: (segment: Segment) => number; buildMsOf: (segment: Segment) => number } {
  const width = Object.keys(spec.columns).length
  const bytesOfFile = new Map(segments.map(({ file, bytes }) => [file, bytes]))
  let [bytes, ms, cells, cellBytes] = [0, 0, 0, 0]
  for (const copy of copies) {
    const columns = Object.keys(copy.spec.columns).length
    bytes += copy.bytes
    ms += copy.buildMs
    cells += copy.rows * columns
    cellBytes += (bytesOfFile.get(copy.segment) ?? 0) * columns
  }
  const share = cellBytes === 0 ? COLUMN_SHARE : bytes / cellBytes
  const msPerCell = cells === 0 ? BUILD_NS / 1e6 : ms / cells
  return {
    bytesOf: (segment) => Math.max(FILE_BYTES_MIN, segment.bytes * width * share),
    buildMsOf: (segment) => segment.rows * width * msPerCell,
  }
}

/** Heat of the questions that a copy serves, and since when none of them is warm; null: nothing is known of any. */
export function heatOfNative(spec: NativeSpec, wants: readonly Want[]): Pick<Want, 'heat' | 'coolSinceMs'> | null {
  const served = wants.filter((want) => want.spec.kind === 'native' && coversNative(spec, want.spec))
  if (served.length === 0) return null
  const heat = served.reduce((sum, want) => sum + want.heat, 0)
  const isWarm = heat >= HEAT.keepMs || served.some(({ coolSinceMs }) => coolSinceMs === null)
  return { heat, coolSinceMs: isWarm ? null : Math.max(...served.map(({ coolSinceMs }) => coolSinceMs ?? 0)) }
}

/** Copies that another one of their segment covers. */
export const coveredCopies = (artefacts: readonly Artefact[]): Artefact[] => {
  const copies = artefacts.filter(isNative)
  return copies.filter((one) =>
    copies.some(
      (other) =>
        other !== one &&
        other.segment === one.segment &&
        coversNative(other.spec, one.spec) &&
        (!coversNative(one.spec, other.spec) || other.builtAtMs > one.builtAtMs),
    ),
  )
}
