import type { Proposal } from '../contracts/entry.ts'
import type { OpContext } from '../contracts/operation.ts'
import type { ReadDb } from '../contracts/storage.ts'
import { isRefusal, type MusterError } from '../kernel/errors.ts'
import { meshSplitSet, updateSet } from '../tw/operations.ts'
import { jobStatus, splitStatus, type ArmStatus } from '../tw/queries.ts'

/** The one place where deploy asks tw for tasks and for shares of traffic. */

export const ACTOR = 'controller:deploy.rollout'

export interface Target {
  service: string
  job: string
  group: string
  fromVersion: number
  toVersion: number
}

/** Label of a job version's tasks in the mesh. */
export function subsetOf(version: number): string {
  return `v${version}`
}

function contextOf(now: number): OpContext {
  return { now, actor: ACTOR, role: 'admin', position: 0 }
}

/** Entries that give the job these tasks per arm; `owner` null releases the job. */
export function setTasks(
  db: ReadDb,
  now: number,
  target: Target,
  owner: string | null,
  arms: { arm: 'primary' | 'canary'; version: number; count: number }[],
  reason: string,
): Proposal[] | MusterError {
  const decision = updateSet.decide(db, { job: target.job, group: target.group, owner, arms, reason }, contextOf(now))
  return isRefusal(decision) ? decision : decision.entries
}

/** Entries that send `sharePpm` of the users to the new version and the rest to the old one. */
export function setShare(
  db: ReadDb,
  now: number,
  target: Target,
  split: { sharePpm: number; salt: string; sticky: string | null; epoch: number },
  reason: string,
): Proposal[] | MusterError {
  const from = subsetOf(target.fromVersion)
  const to = subsetOf(target.toVersion)
  const decision = meshSplitSet.decide(
    db,
    {
      service: target.service,
      shares: { [from]: 1_000_000 - split.sharePpm, [to]: split.sharePpm },
      arms: { [from]: 'primary', [to]: 'canary' },
      salt: split.salt,
      sticky: split.sticky,
      epoch: split.epoch,
      reason,
    },
    contextOf(now),
  )
  return isRefusal(decision) ? decision : decision.entries
}

/** Entries that take the split away: every endpoint is equal again. */
export function clearSplit(db: ReadDb, now: number, service: string, epoch: number, reason: string): Proposal[] | MusterError {
  const decision = meshSplitSet.decide(db, { service, shares: {}, arms: {}, salt: '', sticky: null, epoch, reason }, contextOf(now))
  return isRefusal(decision) ? decision : decision.entries
}

/** Lowest epoch that nothing has used yet. */
export function nextEpoch(db: ReadDb, service: string, atLeast: number): number {
  return Math.max(splitStatus(db, service)?.epoch ?? 0, atLeast) + 1
}

/** What the arm of a version has now; null when tw knows of no such arm. */
export function armOf(db: ReadDb, target: Target, version: number): ArmStatus | null {
  const group = jobStatus(db, target.job)?.groups.find((one) => one.group === target.group)
  return group?.arms.find((arm) => arm.version === version) ?? null
}
