import type { ReadDb } from '../contracts/storage.ts'
import type { Profile } from './profile.ts'

/** Rows as they lie in the tables, and how to get them. */

export type RolloutState =
  | 'queued'
  | 'preparing'
  | 'stepping'
  | 'held'
  | 'baking'
  | 'rolling-back'
  | 'succeeded'
  | 'rolled-back'
  | 'superseded'
  | 'expired'

export type HeldCause = 'paused' | 'blind' | 'inconclusive' | 'halted'
/** Why a rollout goes home. */
export type BackCause =
  | 'errors'
  | 'latency'
  | 'srm'
  | 'breaker'
  | 'aborted'
  | 'blind'
  | 'inconclusive'
  | 'paused'
  | 'preparing'
  | 'shifting'
  | 'halted'
  | 'superseded'
  | 'rollback'

export interface RolloutRow {
  id: number
  kind: 'forward' | 'rollback'
  service: string
  job: string
  grp: string
  release: string
  version: number
  from_release: string
  from_version: number
  /** tasks of the job when the rollout began: the primary arm keeps them */
  tasks: number
  profile: string
  sticky: string | null
  state: RolloutState
  /** −1 before the first step */
  step: number
  /** epoch of the split this state asks for */
  epoch: number
  canary_tasks: number
  since_ms: number
  deadline_ms: number | null
  /** the gate counts from here on */
  gate_from_ms: number
  held_cause: HeldCause | null
  held_text: string | null
  /** a person skipped the waits of the steps below this one */
  promoted_to: number
  cause: BackCause | null
  cause_text: string | null
  is_stuck: 0 | 1
  author: string
  reason: string
  at: number
  ended_at: number | null
}

export interface ReleaseRow {
  id: string
  service: string
  job: string
  version: number
  n: number
  label: string
  artifact: string | null
  state: 'new' | 'good' | 'bad'
  why: string
  author: string
  at: number
  position: number
}

export interface StepRow {
  rollout: number
  step: number
  share_ppm: number
  entered_at: number
  ended_at: number | null
  verdict: string | null
}

export interface VerdictRow {
  position: number
  rollout: number
  step: number
  at: number
  verdict: string
  reason: string
  evidence: string | null
}

export interface HaltRow {
  scope: string
  reason: string
  author: string
  at: number
}

/** Scope of a halt that stops every service. */
export const HALT_ALL = '*'

export function profileOf(rollout: RolloutRow): Profile {
  return JSON.parse(rollout.profile) as Profile
}

export function rolloutRow(db: ReadDb, id: number): RolloutRow | undefined {
  return db.get<RolloutRow>('SELECT * FROM deploy_rollout WHERE id = ?', id)
}

/** All that have not ended, oldest first. */
export function rolloutsInFlight(db: ReadDb): RolloutRow[] {
  return db.all<RolloutRow>('SELECT * FROM deploy_rollout WHERE ended_at IS NULL ORDER BY id')
}

export function inFlightOf(db: ReadDb, service: string): RolloutRow[] {
  return db.all<RolloutRow>('SELECT * FROM deploy_rollout WHERE ended_at IS NULL AND service = ? ORDER BY id', service)
}

export function lastRolloutOf(db: ReadDb, service: string): RolloutRow | undefined {
  return db.get<RolloutRow>('SELECT * FROM deploy_rollout WHERE service = ? ORDER BY id DESC', service)
}

export function releaseRow(db: ReadDb, id: string): ReleaseRow | undefined {
  return db.get<ReleaseRow>('SELECT * FROM deploy_release WHERE id = ?', id)
}

export function releaseOfVersion(db: ReadDb, job: string, version: number): ReleaseRow | undefined {
  return db.get<ReleaseRow>('SELECT * FROM deploy_release WHERE job = ? AND version = ?', job, version)
}

export function releasesOf(db: ReadDb, service: string): ReleaseRow[] {
  return db.all<ReleaseRow>('SELECT * FROM deploy_release WHERE service = ? ORDER BY n DESC', service)
}

export function verdictsOf(db: ReadDb, rollout: number): VerdictRow[] {
  return db.all<VerdictRow>('SELECT * FROM deploy_verdict WHERE rollout = ? ORDER BY position', rollout)
}

/** The halt that stops a service, if any. */
export function haltOf(db: ReadDb, service: string): HaltRow | undefined {
  return db.get<HaltRow>('SELECT * FROM deploy_halt WHERE scope IN (?, ?) ORDER BY scope LIMIT 1', HALT_ALL, service)
}
