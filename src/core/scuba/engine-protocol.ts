import type { NativeCopy } from './plan/view.ts'
import type { PlainValue } from './wire-types.ts'

/** A statement, and what it may read. */
export interface EngineStatement {
  sql: string
  views: { name: string; sql: string }[]
  /** the tables as PostgreSQL's catalogue shows them, for a statement that reads schema `mcat`: a file of `CatalogueColumn`, and which one it is */
  catalogue?: { version: string; path: string } | undefined
  /** databases that views name; they are attached when they are not, and stay so for a while */
  copies?: readonly Pick<NativeCopy, 'name' | 'path'>[] | undefined
}

/** A column as a table in ClickHouse has it. */
export interface NativeHead {
  name: string
  type: string
}

/** What the leaf asks of its engine child, over the channel between parent and child. */
export type EngineRequest =
  | { id: number; op: 'parse'; sql: string }
  | ({
      id: number
      op: 'run'
      params: Record<string, string | number | boolean | null>
      deadlineMs: number
      rowsMax: number
      /**
       * All rows are made before the first is read. Needed for a UNION ALL of many sources: when more than a megabyte waits to be read,
       * the engine (1.5.5) stands still for ever, and cannot be interrupted.
       */
      isCollected?: boolean | undefined
    } & EngineStatement)
  /** a COPY; of the Parquet file it writes rows and bounds are told, without a path the rows alone */
  | { id: number; op: 'copy'; sql: string; path: string | null }
  /** a SELECT whose rows are written to a file in ClickHouse's format Native; how many there are is told */
  | { id: number; op: 'native'; sql: string; head: readonly NativeHead[]; path: string }
  /** makes a database of a SELECT's rows, see `NativeCopy`; how many there are is told, and which texts have many values */
  | { id: number; op: 'make-copy'; sql: string; path: string }
  /** databases that will not be asked for any more */
  | { id: number; op: 'forget-copies'; names: readonly string[] }
  /** types of a statement's columns and parameters */
  | ({ id: number; op: 'describe'; deadlineMs: number } & EngineStatement)
  /** begins a statement whose rows are taken bit by bit, as PostgreSQL's text forms, and gives the first; its cursor is `id` until it is closed */
  | ({ id: number; op: 'open'; deadlineMs: number; rowsMax: number } & EngineStatement)
  | { id: number; op: 'fetch'; cursor: number; deadlineMs: number; rowsMax: number }
  | { id: number; op: 'close'; cursor: number }
  | { id: number; op: 'interrupt'; target: number }

export type EngineFailure = 'sql' | 'deadline' | 'memory' | 'too-large' | 'interrupted' | 'other'

export type EngineReply =
  | {
      id: number
      ok: true
      columns: { name: string; type: string }[]
      rows: PlainValue[][]
      /** of `open` and `fetch`: there are no more rows */
      isDone?: boolean
      /** of `describe`: types by number, null where the engine cannot tell */
      parameters?: (string | null)[]
    }
  | { id: number; ok: false; failure: EngineFailure; message: string }

/** Sent by the child once it can answer. */
export interface EngineReady {
  ready: true
}
