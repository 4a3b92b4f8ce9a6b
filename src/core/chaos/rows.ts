import type { ReadDb } from '../contracts/storage.ts'
import type { Plan } from './plan/plan.ts'
import type { Experiment } from './schema.ts'

/** Rows as they lie in the tables, and how to get them. */

/** `observing` lasts until the last fault is undone in its time, `aborting` the same out of it. */
export type RunState = 'baseline' | 'arming' | 'observing' | 'aborting' | 'verifying' | 'closed'
export type Verdict = 'held' | 'deviated' | 'inconclusive' | 'not-run'
/** Why a run was broken off. */
export type AbortCause = 'breach' | 'blind' | 'stopped' | 'halted' | 'sev' | 'rollout' | 'fault-failed'

export interface RunRow {
  id: string
  position: number
  title: string
  digest: string
  experiment: string
  plan: string
  state: RunState
  service: string | null
  since_ms: number
  started_at: number | null
  observing_at: number | null
  /** when the last fault was undone */
  undone_at: number | null
  verdict: Verdict | null
  reason: string
  cause: AbortCause | null
  author: string
  at: number
  ended_at: number | null
  summary: string | null
}

/** `arming` and `reverting` are intents; `armed` and the three ends are facts. */
export type FaultState = 'arming' | 'armed' | 'reverting' | 'reverted' | 'failed' | 'leaked'

export interface FaultRow {
  id: string
  run: string
  n: number
  /** index in the method */
  action: number
  fault: string
  backend: 'node' | 'mesh'
  service: string | null
  task: number | null
  task_name: string | null
  incarnation: number | null
  node: string | null
  arguments: string
  until_ms: number
  lease_ms: number
  state: FaultState
  effect: number
  message: string
  armed_at: number | null
  /** when its undo was asked for */
  asked_at: number | null
  ended_at: number | null
}

export function runRow(db: ReadDb, id: string): RunRow | undefined {
  return db.get<RunRow>('SELECT * FROM chaos_run WHERE id = ?', id)
}

/** Runs that have not ended, oldest first. */
export function liveRuns(db: ReadDb): RunRow[] {
  return db.all<RunRow>("SELECT * FROM chaos_run WHERE state <> 'closed' ORDER BY position")
}

export function faultsOf(db: ReadDb, run: string): FaultRow[] {
  return db.all<FaultRow>('SELECT * FROM chaos_fault WHERE run = ? ORDER BY n', run)
}

export function isEnded(fault: Pick<FaultRow, 'state'>): boolean {
  return fault.state === 'reverted' || fault.state === 'failed' || fault.state === 'leaked'
}

export function experimentOf(run: RunRow): Experiment {
  return JSON.parse(run.experiment) as Experiment
}

export function planOf(run: RunRow): Plan {
  return JSON.parse(run.plan) as Plan
}

export interface HaltRow {
  reason: string
  author: string
  at: number
}

export function haltRow(db: ReadDb): HaltRow | null {
  return db.get<HaltRow>('SELECT reason, author, at FROM chaos_halt') ?? null
}

/** The environment this fleet is: `dev` until somebody says otherwise. */
export function environmentOf(db: ReadDb): string {
  return db.get<{ value: string }>("SELECT value FROM chaos_setting WHERE name = 'environment'")?.value ?? 'dev'
}
