import type { RetentionPolicy } from './retention/policy.ts'
import type { CapCounts } from './rows/caps.ts'
import type { ColumnTypes } from './rows/columns.ts'

/** What leaf and client say to each other, and the server says on: plain JSON over HTTP. */

/** `replicas`: on disk here and on every leaf that holds a copy */
export const ACK_LEVELS = ['memory', 'fsync', 'replicas'] as const
export type AckLevel = (typeof ACK_LEVELS)[number]
/** Where a leaf's own rows are when it has taken them. */
export type CommitLevel = Exclude<AckLevel, 'replicas'>

/** What a sender gets for one batch. */
export interface Receipt {
  table: string
  accepted: number
  /** lines that could not become rows; kept in the table `muster_quarantine` */
  quarantined: number
  /** up to ten of them */
  firstErrors: { line: number; reason: string }[]
  /** rows that are kept although they break a rule of their table that only warns, and up to ten reasons; missing: none */
  warned?: number
  warnings?: { line: number; reason: string }[]
  /** the key was known and its rows are in already: nothing was added */
  duplicate: boolean
  key: string | null
  /** ms; until then the same key is recognised */
  dedupeUntilMs: number | null
  ack: AckLevel
  /** the sender's token is on `validate=sync`, because all of its large bodies had bad lines */
  validate?: 'sync' | undefined
  /** the leaf that has them; without: the one that was asked */
  leaf?: string | undefined
  /** the leaf of their key was away: once it is back, the same key may add them a second time */
  delivery?: 'at-least-once' | undefined
}

/** What part of the rows that should be in an answer are in it. */
export interface Coverage {
  /** share of rows, 0 to 1 */
  rows: number
  segments: number
  chunks: number
  /** that answered, and that were asked; without the latter: as many */
  leaves: number
  leavesAsked?: number | undefined
  /** the time span that was looked at, ms: the asked one as far as there are rows; null without rows */
  fromMs: number | null
  toMs: number | null
  /** newest time of a row that was looked at, ms; null without rows */
  hotToMs: number | null
  /** in words, what is missing */
  missing: string[]
  /** leaves in whose place one that holds a copy of their rows answered */
  byCopy?: string[] | undefined
}

/** `full`: an answer that would be partial is refused with SCUBA_PARTIAL. */
export type Require = 'full' | 'partial'

export type Params = Record<string, string | number | boolean | null>

export interface QueryRequest {
  sql: string
  /** named parameters: `$name` */
  params?: Params | undefined
  sinceMs?: number | undefined
  untilMs?: number | undefined
  /** instead of `sinceMs`: the last so many ms before `untilMs` or now */
  lastMs?: number | undefined
  /** from the rows alone, without what is known of earlier answers and what was built ahead: to compare and to measure */
  raw?: boolean | undefined
  deadlineMs?: number | undefined
  /** default: partial */
  require?: Require | undefined
  /** also answer for the range so much earlier: `1d`, `1w` (civil days of the table's zone), `6h`; needs a range */
  compare?: string | undefined
}

/** What of an answer was known already. */
export interface CacheUse {
  /** the whole answer was there */
  isWhole: boolean
  /** partials that were there, and that had to be computed */
  hits: number
  misses: number
  /** artefacts that stood in for rows */
  artefacts?: number | undefined
}

/** How far a value may be from the exact one. */
export interface Accuracy {
  exact: boolean
  /** relative, 0 to 1; null: no bound can be given */
  errorMax: number | null
  /** why it is not exact, and what else is to be known of it, in words */
  note?: string | undefined
}

export type PlainValue = string | number | boolean | null | PlainValue[] | { [key: string]: PlainValue }

export interface QueryAnswer {
  /** type as the engine names it; TIMESTAMP values are ms since the epoch */
  columns: { name: string; type: string }[]
  rows: PlainValue[][]
  rowsScanned: number
  coverage: Coverage
  /** every value is exact: SQL runs over the rows themselves, or over parts that give the same */
  exact: boolean
  /** A: put together from parts of files; B: one SELECT over all rows */
  tier: 'A' | 'B'
  cache: CacheUse
  /** what the engine took of the time; 0 when the answer was there */
  engineMs: number
  /** with `compare`: the same columns for the earlier range */
  compare?: { sinceMs: number; untilMs: number; rows: PlainValue[][]; rowsScanned: number; coverage: Coverage } | undefined
  elapsedMs: number
}

export interface PanelRequest {
  table: string
  /**
   * `count`, `sum:x`, `avg:x`, `min:x`, `max:x`, `ratio(EXPR)`, `p99:x` (≤ 1 % off), `exact_p99:x`, `distinct:x`, `heatmap:x`,
   * `increase:x`, `rate:x` (of counters, per series); the first one ranks the groups
   */
  calc: string[]
  by?: string[] | undefined
  /** SQL condition over the table's columns */
  where?: string | undefined
  params?: Record<string, string | number | boolean | null> | undefined
  /** width of a time step, ms; without one there is no series */
  stepMs?: number | undefined
  sinceMs?: number | undefined
  untilMs?: number | undefined
  /**
   * Without `sinceMs`: the last so many ms until `untilMs` or now; default an hour. Up to now it snaps to the step, outwards (without
   * a step to a 360th of it, at least a second), so that all who ask within a step ask the same; the answer says its range.
   */
  lastMs?: number | undefined
  /** groups shown; default 10 */
  top?: number | undefined
  /** add the group of all the others */
  other?: boolean | undefined
  /** only groups for which all of these hold, over the whole range: `count >= 100`, `p99:latency_ms > 200` */
  having?: string[] | undefined
  /** also answer for the range so much earlier, for the same groups: `1d`, `1w` (civil days of the table's zone), `6h` */
  compare?: string | undefined
  /** default: partial */
  require?: Require | undefined
  /** an answer computed this long ago will do; default 0: the newest rows are looked for */
  maxAgeMs?: number | undefined
  /** from the rows alone, without what is known of earlier answers and what was built ahead: to compare and to measure */
  raw?: boolean | undefined
  deadlineMs?: number | undefined
}

/** Counts of a group by size of value: the dense form of a heatmap. */
export interface Heatmap {
  /** lower ends of the rows, ascending; a row reaches to the next one's, the last to `highest` */
  lows: number[]
  highest: number
  /** [start of the step in ms, row, weighted count]; without a step the start is 0 */
  cells: [number, number, number][]
}

export interface PanelGroup {
  key: Record<string, PlainValue>
  /** the sum of the groups that are not shown */
  isOther: boolean
  /** calculation → value over the whole range */
  values: Record<string, number | null>
  /** per step with rows: [start of the step in ms, one value per calculation in the request's order] */
  series: [number, ...(number | null)[]][]
  /** calculation → cells, for each `heatmap:` */
  heatmaps?: Record<string, Heatmap> | undefined
}

export interface PanelAnswer {
  table: string
  by: string[]
  calc: string[]
  stepMs: number | null
  sinceMs: number
  untilMs: number
  groups: PanelGroup[]
  /** groups there are, shown or not; at least so many when `isGroupCountExact` is false */
  groupCount: number
  isGroupCountExact: boolean
  /** calculation → how exact its values are */
  accuracy: Record<string, Accuracy>
  /** A: merged from partials of files; B: one SELECT over all rows */
  tier: 'A' | 'B'
  cache: CacheUse
  rowsScanned: number
  coverage: Coverage
  /** with `compare`: the earlier range; its series are on this range's steps */
  compare?: { sinceMs: number; untilMs: number; groups: PanelGroup[]; rowsScanned: number; coverage: Coverage } | undefined
  elapsedMs: number
}

/** Many panels in one request. */
export interface BoardRequest {
  panels: PanelRequest[]
  /** how old an answer may be before a newer one is looked for, of panels that do not say; default a 360th of their range */
  maxAgeMs?: number | undefined
  deadlineMs?: number | undefined
}

/** In the order of the request; a panel that fails does not harm the others. */
export interface BoardAnswer {
  panels: (
    | { ok: true; answer: PanelAnswer }
    | { ok: false; error: { code: string; message: string; hint?: string | undefined; exit: number } }
  )[]
}

/** One event of `POST …/panel/stream`: partial answers with growing coverage, the last one whole. */
export interface PanelProgress {
  /** 0 to 1, of the rows to be looked at */
  progress: number
  isLast: boolean
  answer: PanelAnswer
}

export interface ExplainRequest extends QueryRequest {
  /** run it, too */
  analyze?: boolean | undefined
}

export interface ExplainAnswer {
  /** A: put together from parts of files, which are kept; B: one SELECT over all rows of the tables */
  tier: 'A' | 'B'
  /** of tier B: why it is not A, in words */
  why: string | null
  tables: {
    name: string
    columns: string[]
    files: number
    /** those of the time range that can have rows of the answer, and what they are */
    filesAfterPruning: number
    segments: number
    chunks: number
    rows: number
    /** of these files: whose part of the answer is known already */
    filesKnown: number
  }[]
  /** rows × columns that would be read; over `cellsMax` it is refused */
  cells: number
  cellsMax: number
  /** what was built ahead and stands in for rows, in words */
  artefacts: string[]
  /** it was run, and the whole answer was there */
  isCached: boolean
  /** ms, from what such queries took lately; null when none ran yet */
  estimatedMs: number | null
  analyzed: {
    elapsedMs: number
    /** of the engine */
    engineMs: number
    rows: number
    cache: CacheUse
    /** leaves in whose place a copy answered */
    byCopy: string[]
  } | null
}

export interface DiffRequest {
  table: string
  /** SQL condition: the rows that are strange */
  select: string
  /** default: all other rows */
  baseline?: string | undefined
  where?: string | undefined
  params?: Params | undefined
  /** default: every column but the reserved ones, at most 60 */
  columns?: string[] | undefined
  sinceMs?: number | undefined
  untilMs?: number | undefined
  lastMs?: number | undefined
  deadlineMs?: number | undefined
}

export interface DiffColumn {
  name: string
  /** 0: same distribution, 1: no value in common (half the sum of the differences of shares) */
  difference: number
  /** numbers are compared by ranges */
  isRanges: boolean
  /** those that differ most first; shares 0 to 1 of selection and baseline */
  values: { value: PlainValue; selection: number; baseline: number }[]
}

export interface DiffAnswer {
  table: string
  selectionRows: number
  baselineRows: number
  /** those that differ most first */
  columns: DiffColumn[]
  rowsScanned: number
  coverage: Coverage
  elapsedMs: number
}

export interface FunnelRequest {
  table: string
  /** SQL conditions, in order */
  steps: string[]
  /** column of who goes through */
  actor: string
  /** longest time from the first step to the last; default: any */
  withinMs?: number | undefined
  where?: string | undefined
  params?: Params | undefined
  sinceMs?: number | undefined
  untilMs?: number | undefined
  lastMs?: number | undefined
  deadlineMs?: number | undefined
}

export interface FunnelAnswer {
  table: string
  /** actors who did this step after those before it; `medianMs` from the step before */
  steps: { step: string; actors: number; ofFirst: number | null; ofPrevious: number | null; medianMs: number | null }[]
  rowsScanned: number
  coverage: Coverage
  elapsedMs: number
}

export interface SessionsRequest {
  table: string
  actor: string
  /** a pause this long ends a session; default 30 m */
  gapMs?: number | undefined
  where?: string | undefined
  params?: Params | undefined
  sinceMs?: number | undefined
  untilMs?: number | undefined
  lastMs?: number | undefined
  deadlineMs?: number | undefined
}

export interface SessionsAnswer {
  table: string
  sessions: number
  actors: number
  rows: number
  /** ms */
  duration: { p50: number | null; p90: number | null; p99: number | null; max: number | null }
  eventsPerSession: { p50: number | null; p90: number | null; p99: number | null; max: number | null }
  /** one row only */
  bounces: number
  rowsScanned: number
  coverage: Coverage
  elapsedMs: number
}

export interface TraceRequest {
  trace: string
  sinceMs?: number | undefined
  untilMs?: number | undefined
  /** default: a day */
  lastMs?: number | undefined
  deadlineMs?: number | undefined
}

export interface TraceSpan {
  id: string
  parent: string | null
  /** depth in the tree; 0: a root */
  depth: number
  name: string
  service: string | null
  startMs: number
  durationMs: number
  isError: boolean
  attributes: Record<string, PlainValue>
}

export interface TraceAnswer {
  trace: string
  startMs: number
  durationMs: number
  /** parents before their children, by start */
  spans: TraceSpan[]
  /** rows of other tables that carry the id: log lines, requests; oldest first */
  rows: { table: string; timeMs: number; text: string }[]
  rowsScanned: number
  coverage: Coverage
  elapsedMs: number
}

export interface CacheInfo {
  entries: number
  bytes: number
  bytesMax: number
  /** of sealed segments, on the disk */
  diskEntries: number
  diskBytes: number
  diskBytesMax: number
  /** that were read back from the disk, as after a restart */
  diskReads: number
  answers: number
  answerBytes: number
  answerHits: number
  partialHits: number
  partialMisses: number
  /** identical questions that were asked while the first was answered */
  shared: number
  evicted: number
  /** of the engine, that hits have saved */
  savedMs: number
}

export interface LiveRequest {
  /** `requests` */
  table: string
  service: string
  fromMs: number
  toMs?: number | undefined
  /** count by task: `arm` of the answer is the task. Counting begins with the first such question and ends a minute after the last. */
  byTask?: boolean | undefined
}

export interface TableInfo {
  name: string
  rows: number
  /** on disk, sealed and not */
  bytes: number
  segments: number
  chunks: number
  columns: ColumnTypes
  /** of `time`, ms; null when empty */
  fromMs: number | null
  toMs: number | null
  retention: RetentionPolicy
  /** how often rows met a bound of the table, since its leaf started; not there: an older leaf */
  capped?: CapCounts | undefined
}
