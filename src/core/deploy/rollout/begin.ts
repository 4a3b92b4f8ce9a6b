import type { Proposal } from '../../contracts/entry.ts'
import { isRefusal } from '../../kernel/errors.ts'
import { lockScopes } from '../../delos/operations.ts'
import { scopeHolder } from '../../delos/queries.ts'
import { jobStatus } from '../../tw/queries.ts'
import { breakerTrip } from '../analysis/breaker.ts'
import { breakerTripped, canaryStarted, rolloutExpired, rolloutStepEntered, startCanary } from '../machine.ts'
import { canaryTasks } from '../profile.ts'
import { inFlightOf, releaseOfVersion } from '../rows.ts'
import { armOf, nextEpoch, setShare, setTasks } from '../through-tw.ts'
import { budgetGate } from './budget-gate.ts'
import { goHome } from './home.ts'
import { incidentGate } from './incident-gate.ts'
import { act, ownerOf, scopeOf, wait, type Next, type RolloutView } from './view.ts'

/** Longer than any rollout may take with all its holds; it is released at the end. */
const LOCK_MS = 14 * 24 * 3_600_000

/** queued: begins when the service is free, nothing halts it, no SEV1 or SEV2 is open on it and the job runs. */
export function decideQueued(view: RolloutView): Next {
  const { db, now, row, halt } = view
  const expire = (text: string): Next => act(rolloutExpired.of({ rollout: row.id, text }))
  if (row.deadline_ms !== null && now >= row.deadline_ms) return expire('it waited too long to begin')
  if (inFlightOf(db, row.service)[0]?.id !== row.id) return wait(row.deadline_ms)
  if (halt !== null && row.kind === 'forward') return wait(row.deadline_ms)
  const isHeldUp = incidentGate(db, row.service, view.profile) ?? budgetGate(db, row.service, view.profile)
  if (row.kind === 'forward' && isHeldUp !== null) return wait(row.deadline_ms)
  const holder = scopeHolder(db, scopeOf(row.service), now)
  if (holder !== null && holder.holder !== ownerOf(row)) return wait(Math.min(holder.until, row.deadline_ms ?? holder.until))
  const job = jobStatus(db, row.job)
  const group = job?.groups.find((one) => one.group === row.grp)
  if (!job || !group || job.state !== 'running' || group.count === 0) return expire(`job ${row.job} does not run`)
  if (job.currentVersion === row.version) return expire(`${row.release} runs already`)
  return begin(view, job.currentVersion, group.count, expire)
}

function begin(view: RolloutView, fromVersion: number, jobTasks: number, expire: (text: string) => Next): Next {
  const { db, now, row, profile } = view
  const target = { ...view.target, fromVersion }
  const epoch = nextEpoch(db, row.service, row.epoch)
  const tasks = canaryTasks(profile.steps[0]?.sharePpm ?? 0, jobTasks)
  const lock = lockScopes(db, now, [scopeOf(row.service)], ownerOf(row), now + LOCK_MS)
  // The split comes with the tasks, at 0 %: without one, the canary would get its part of the traffic as soon as it is healthy.
  const share = setShare(db, now, target, { sharePpm: 0, salt: row.release, sticky: row.sticky, epoch }, `${ownerOf(row)} prepares`)
  const arms = setTasks(
    db,
    now,
    target,
    ownerOf(row),
    [
      { arm: 'primary', version: fromVersion, count: jobTasks },
      { arm: 'canary', version: row.version, count: tasks },
    ],
    `${ownerOf(row)} prepares`,
  )
  for (const refusal of [lock, share, arms]) if (isRefusal(refusal)) return expire(refusal.message)
  return act(
    ...(lock as Proposal[]),
    ...(share as Proposal[]),
    ...(arms as Proposal[]),
    startCanary.of({
      rollout: row.id,
      tasks,
      fromVersion,
      fromRelease: releaseOfVersion(db, row.job, fromVersion)?.id ?? row.from_release,
      jobTasks,
      epoch,
      deadlineMs: now + profile.deadlines.preparingMs,
    }),
  )
}

/** preparing: ends when the canary's tasks are healthy for a while; a crash loop or the deadline takes it home. */
export function decidePreparing(view: RolloutView): Next {
  const { db, now, row, profile, target, evidence } = view
  const trip = evidence?.breaker && row.kind === 'forward' ? breakerTrip(evidence.breaker) : null
  if (trip?.rule === 'restarts') {
    return act(...goHome(db, now, row, 'breaker', trip.text, [breakerTripped.of({ rollout: row.id, rule: trip.rule, text: trip.text })]))
  }
  const canary = armOf(db, target, row.version)
  const healthySince = canary?.allHealthySinceMs ?? null
  if (canary && healthySince !== null && canary.healthy >= row.canary_tasks) {
    if (now >= healthySince + profile.healthyMs)
      return act(canaryStarted.of({ rollout: row.id, tasks: canary.healthy }), ...enterStep(view, 0))
    return wait(healthySince + profile.healthyMs)
  }
  if (row.deadline_ms !== null && now >= row.deadline_ms) {
    return act(
      ...goHome(db, now, row, 'preparing', `only ${canary?.healthy ?? 0} of ${row.canary_tasks} canary tasks became healthy in time`),
    )
  }
  return wait(row.deadline_ms)
}

/** Entries that bring a rollout into a step: its tasks are asked for; the share follows when they are healthy. */
export function enterStep(view: RolloutView, step: number): Proposal[] {
  const { db, now, row, profile, target } = view
  const next = profile.steps[step]
  if (!next) return []
  const tasks = Math.max(canaryTasks(next.sharePpm, row.tasks), row.canary_tasks)
  const entered = rolloutStepEntered.of({
    rollout: row.id,
    step,
    sharePpm: next.sharePpm,
    tasks,
    epoch: nextEpoch(db, row.service, row.epoch),
    deadlineMs: now + profile.deadlines.preparingMs + profile.deadlines.shiftingMs,
  })
  if (tasks === row.canary_tasks) return [entered]
  const arms = setTasks(
    db,
    now,
    target,
    ownerOf(row),
    [
      { arm: 'primary', version: row.from_version, count: row.tasks },
      { arm: 'canary', version: row.version, count: tasks },
    ],
    `${ownerOf(row)} step ${step + 1}`,
  )
  // A refusal leaves the tasks as they are: the step then waits for tasks that never come, and its deadline takes it home.
  return isRefusal(arms) ? [entered] : [entered, ...arms]
}
