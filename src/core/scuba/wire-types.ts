import type { RetentionPolicy } from './retention/policy.ts'
import type { ColumnTypes } from './rows/columns.ts'

/** What leaf and client say to each other, and the server says on: plain JSON over HTTP. */

export type AckLevel = 'memory' | 'fsync'

/** What a sender gets for one batch. */
export interface Receipt {
  table: string
  accepted: number
  /** lines that could not become rows; kept in the table `muster_quarantine` */
  quarantined: number
  /** up to ten of them */
  firstErrors: { line: number; reason: string }[]
  /** the key was known and its rows are in already: nothing was added */
  duplicate: boolean
  key: string | null
  /** ms; until then the same key is recognised */
  dedupeUntilMs: number | null
  ack: AckLevel
}

/** What part of the rows that should be in an answer are in it. */
export interface Coverage {
  /** share of rows, 0 to 1 */
  rows: number
  segments: number
  chunks: number
  leaves: number
  /** newest time of a row that was looked at, ms; null without rows */
  hotToMs: number | null
  /** in words, what is missing */
  missing: string[]
}

export interface QueryRequest {
  sql: string
  /** named parameters: `$name` */
  params?: Record<string, string | number | boolean | null> | undefined
  sinceMs?: number | undefined
  untilMs?: number | undefined
  deadlineMs?: number | undefined
}

export type PlainValue = string | number | boolean | null | PlainValue[] | { [key: string]: PlainValue }

export interface QueryAnswer {
  /** type as the engine names it; TIMESTAMP values are ms since the epoch */
  columns: { name: string; type: string }[]
  rows: PlainValue[][]
  rowsScanned: number
  coverage: Coverage
  elapsedMs: number
}

export interface PanelRequest {
  table: string
  /** `count`, `sum:x`, `avg:x`, `min:x`, `max:x`, `p99:x`, `distinct:x`, `ratio(EXPR)`; the first one ranks the groups */
  calc: string[]
  by?: string[] | undefined
  /** SQL condition over the table's columns */
  where?: string | undefined
  params?: Record<string, string | number | boolean | null> | undefined
  /** width of a time step, ms; without one there is no series */
  stepMs?: number | undefined
  /** default: an hour before `untilMs` */
  sinceMs?: number | undefined
  /** default: now */
  untilMs?: number | undefined
  /** groups shown; default 10 */
  top?: number | undefined
  /** add the group of all the others */
  other?: boolean | undefined
  deadlineMs?: number | undefined
}

export interface PanelGroup {
  key: Record<string, PlainValue>
  /** the sum of the groups that are not shown */
  isOther: boolean
  /** calculation → value over the whole range */
  values: Record<string, number | null>
  /** per step with rows: [start of the step in ms, one value per calculation in the request's order] */
  series: [number, ...(number | null)[]][]
}

export interface PanelAnswer {
  table: string
  by: string[]
  calc: string[]
  stepMs: number | null
  sinceMs: number
  untilMs: number
  groups: PanelGroup[]
  /** groups there are, shown or not */
  groupCount: number
  rowsScanned: number
  coverage: Coverage
  elapsedMs: number
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
}
