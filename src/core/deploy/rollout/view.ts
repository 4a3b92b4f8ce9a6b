import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import type { SplitStatus } from '../../tw/queries.ts'
import { splitStatus } from '../../tw/queries.ts'
import { rolloutName } from '../entries/define.ts'
import type { Profile } from '../profile.ts'
import { haltOf, profileOf, type HaltRow, type RolloutRow } from '../rows.ts'
import type { RolloutEvidence } from '../soft.ts'
import type { Target } from '../through-tw.ts'

/** All a decision about one rollout looks at. */
export interface RolloutView {
  db: ReadDb
  now: number
  row: RolloutRow
  profile: Profile
  target: Target
  split: SplitStatus | null
  halt: HaltRow | null
  evidence: RolloutEvidence | null
}

/** What one look gives: entries, and when to look again. */
export interface Next {
  entries: Proposal[]
  wakeAt: number | null
}

/** Where a step is, read from the split: its tasks are starting, its share is on the way to the proxies, or it is in force. */
export type Phase = 'starting' | 'shifting' | 'judging'

export function viewOf(db: ReadDb, now: number, row: RolloutRow, evidence: RolloutEvidence | null): RolloutView {
  return {
    db,
    now,
    row,
    evidence,
    profile: profileOf(row),
    target: targetOf(row),
    split: splitStatus(db, row.service),
    halt: haltOf(db, row.service) ?? null,
  }
}

export function targetOf(row: RolloutRow): Target {
  return { service: row.service, job: row.job, group: row.grp, fromVersion: row.from_version, toVersion: row.version }
}

export function phaseOf(row: Pick<RolloutRow, 'epoch'>, split: SplitStatus | null): Phase {
  if (split === null || split.epoch < row.epoch) return 'starting'
  return split.epoch === row.epoch && split.appliedAtMs !== null ? 'judging' : 'shifting'
}

/** When the present share took effect, or the rollout last went on; log time. */
export function judgingSince(row: RolloutRow, split: SplitStatus | null): number {
  return Math.max(split?.appliedAtMs ?? row.since_ms, row.since_ms)
}

/** Who owns the job in tw and holds its scope in delos. */
export function ownerOf(row: Pick<RolloutRow, 'id'>): string {
  return rolloutName(row.id)
}

export function scopeOf(service: string): string {
  return `service:${service}`
}

export const wait = (wakeAt: number | null): Next => ({ entries: [], wakeAt })
/** Entries that change the rollout: its next state is looked at right after. */
export const act = (...entries: Proposal[]): Next => ({ entries, wakeAt: null })
