import type { PlainValue } from './wire-types.ts'

/** What the leaf asks of its engine child, over the channel between parent and child. */
export type EngineRequest =
  | { id: number; op: 'parse'; sql: string }
  | {
      id: number
      op: 'run'
      sql: string
      views: { name: string; sql: string }[]
      params: Record<string, string | number | boolean | null>
      deadlineMs: number
      rowsMax: number
    }
  | { id: number; op: 'copy'; sql: string; path: string }
  | { id: number; op: 'interrupt'; target: number }

export type EngineFailure = 'sql' | 'deadline' | 'memory' | 'too-large' | 'interrupted' | 'other'

export type EngineReply =
  | { id: number; ok: true; columns: { name: string; type: string }[]; rows: PlainValue[][] }
  | { id: number; ok: false; failure: EngineFailure; message: string }

/** Sent by the child once it can answer. */
export interface EngineReady {
  ready: true
}
