import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { isRefusal } from '../../kernel/errors.ts'
import { releaseScopes } from '../../delos/operations.ts'
import { jobStatus, splitStatus } from '../../tw/queries.ts'
import { releaseMarkedBad, rollBack, rollbackStuck, rolledBack, rolloutSuperseded } from '../machine.ts'
import { profileOf, type BackCause, type RolloutRow } from '../rows.ts'
import { clearSplit, nextEpoch, setShare, setTasks } from '../through-tw.ts'
import { act, ownerOf, phaseOf, scopeOf, targetOf, wait, type Next, type RolloutView } from './view.ts'

/** Causes that say something about the release itself: it is not shipped again. */
const MARKS_BAD: ReadonlySet<BackCause> = new Set(['errors', 'latency', 'srm', 'breaker', 'rollback'])

/**
 * Entries that take a rollout home: intent, mark and split in one batch, so that nothing stands between the decision
 * and 0 %. Asks no guard, halt or lock. `before`: what led to it.
 */
export function goHome(db: ReadDb, now: number, row: RolloutRow, cause: BackCause, text: string, before: Proposal[] = []): Proposal[] {
  const epoch = nextEpoch(db, row.service, row.epoch)
  const reason = `${ownerOf(row)} rolled back: ${cause}`
  const share = setShare(db, now, targetOf(row), { sharePpm: 0, salt: row.release, sticky: row.sticky, epoch }, reason)
  return [
    ...before,
    // The share first: a batch is applied in order, and the proxies need nothing else.
    ...(isRefusal(share) ? [] : share),
    rollBack.of({ rollout: row.id, cause, text, epoch, deadlineMs: now + profileOf(row).deadlines.rollingBackMs }),
    ...(MARKS_BAD.has(cause) ? [releaseMarkedBad.of({ release: row.release, service: row.service, reason: text })] : []),
  ]
}

/** rolling-back: ends once every proxy has acknowledged 0 %; says so when that takes too long. */
export function decideHome(view: RolloutView): Next {
  const { db, now, row, split, target } = view
  // A service that was removed meanwhile has no proxies to wait for.
  const isHome = phaseOf(row, split) === 'judging' || split === null
  if (!isHome) {
    if (row.deadline_ms !== null && now >= row.deadline_ms) return act(rollbackStuck.of({ rollout: row.id }))
    return wait(row.deadline_ms)
  }
  // Somebody who took the job over decides on its tasks.
  const isOurs = jobStatus(db, row.job)?.owner === ownerOf(row)
  const tasks = isOurs
    ? setTasks(db, now, target, null, [{ arm: 'primary', version: row.from_version, count: row.tasks }], `${ownerOf(row)} rolled back`)
    : []
  const end = row.cause === 'superseded' ? rolloutSuperseded.of({ rollout: row.id }) : rolledBack.of({ rollout: row.id })
  return act(end, ...(isRefusal(tasks) ? [] : tasks), ...releaseScopes([scopeOf(row.service)], ownerOf(row)))
}

/** After the end: once only one version has tasks, the split is taken away, so that later versions get traffic. */
export function tidySplit(db: ReadDb, now: number, row: RolloutRow): Proposal[] {
  const split = splitStatus(db, row.service)
  if (split === null || split.epoch !== row.epoch || Object.keys(split.shares).length === 0) return []
  const group = jobStatus(db, row.job)?.groups.find((one) => one.group === row.grp)
  if (!group || group.leftover > 0 || group.arms.length !== 1) return []
  const cleared = clearSplit(db, now, row.service, split.epoch + 1, `${ownerOf(row)} ended`)
  return isRefusal(cleared) ? [] : cleared
}
