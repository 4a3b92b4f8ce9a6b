import type { ReadDb } from '../../contracts/storage.ts'
import { sloFileSchema, type SloFile } from './file.ts'
import { QUIET, type SloState } from './judge.ts'
import type { Span } from './ring.ts'

export interface StoredSlo {
  file: SloFile
  /** log position of its last SloSet */
  version: number
  setAtMs: number
  setBy: string
}

export interface SloStateRow extends SloState {
  objective: string
  /** since when it burns, ms; null: it does not */
  sinceMs: number | null
  /** when it burned last, ms: its end, or the beginning of what goes on */
  lastBurnAtMs: number | null
  budgetLeft: number
  reason: string
}

export interface Exclusion extends Span {
  id: number
  objective: string | null
  reason: string
  atMs: number
  by: string
}

interface SloRow {
  file: string
  version: number
  set_at: number
  set_by: string
}

const COLUMNS = 'file, version, set_at, set_by'

const stored = (row: SloRow): StoredSlo => ({
  file: sloFileSchema.parse(JSON.parse(row.file)),
  version: row.version,
  setAtMs: row.set_at,
  setBy: row.set_by,
})

export function slos(db: ReadDb): StoredSlo[] {
  return db.all<SloRow>(`SELECT ${COLUMNS} FROM scuba_slo ORDER BY service`).map(stored)
}

export function slo(db: ReadDb, service: string): StoredSlo | null {
  const row = db.get<SloRow>(`SELECT ${COLUMNS} FROM scuba_slo WHERE service = ?`, service)
  return row ? stored(row) : null
}

interface StateRow {
  objective: string
  tier: string | null
  sev: number | null
  since: number | null
  last_burn_at: number | null
  is_spent: number
  budget_left: number
  reason: string
}

/** What the log says of the objectives of a service; those that never moved are not among them. */
export function sloStates(db: ReadDb, service: string): SloStateRow[] {
  return db
    .all<StateRow>(
      'SELECT objective, tier, sev, since, last_burn_at, is_spent, budget_left, reason FROM scuba_slo_state WHERE service = ? ORDER BY objective',
      service,
    )
    .map(({ since, last_burn_at, is_spent, budget_left, ...row }) => ({
      ...row,
      sinceMs: since,
      lastBurnAtMs: last_burn_at,
      isSpent: is_spent === 1,
      budgetLeft: budget_left,
    }))
}

export function stateOrQuiet(row: SloState | null): SloState {
  return row ?? QUIET
}

/** What does not count of a service, newest first. @param sinceMs only what ends after it */
export function exclusions(db: ReadDb, service: string, sinceMs = 0): Exclusion[] {
  return db
    .all<{ id: number; objective: string | null; from_ms: number; to_ms: number; reason: string; at: number; by: string }>(
      'SELECT id, objective, from_ms, to_ms, reason, at, by FROM scuba_slo_exclusion WHERE service = ? AND to_ms > ? ORDER BY from_ms DESC',
      service,
      sinceMs,
    )
    .map(({ from_ms, to_ms, at, ...row }) => ({ ...row, fromMs: from_ms, toMs: to_ms, atMs: at }))
}

/** Those of them that one objective has. */
export function excludedOf(all: readonly Exclusion[], objective: string): Exclusion[] {
  return all.filter((one) => one.objective === null || one.objective === objective)
}

/** Objectives of the service whose budget is spent, or that burn at a level that pages: what keeps changes from going out. */
export function troubledObjectives(db: ReadDb, service: string): SloStateRow[] {
  return sloStates(db, service).filter(({ isSpent, sev }) => isSpent || (sev !== null && sev <= 3))
}
