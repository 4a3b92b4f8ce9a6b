import type { Proposal } from '../../contracts/entry.ts'
import { isRefusal } from '../../kernel/errors.ts'
import { formatDuration } from '../../kernel/units.ts'
import { releaseScopes } from '../../delos/operations.ts'
import { breakerTrip } from '../analysis/breaker.ts'
import { verdict, type JudgeVerdict } from '../analysis/judge.ts'
import { evidenceOf } from '../evidence.ts'
import { breakerTripped, rolloutHeld, rolloutResumed, rolloutSucceeded, stepVerdict } from '../machine.ts'
import { verdictsOf, type BackCause, type HeldCause } from '../rows.ts'
import { armOf, setShare, setTasks } from '../through-tw.ts'
import { enterStep } from './begin.ts'
import { goHome } from './home.ts'
import { act, judgingSince, ownerOf, phaseOf, scopeOf, wait, type Next, type RolloutView } from './view.ts'

/** stepping and baking: tasks healthy, then the share, then what the judge says. */
export function decideStepping(view: RolloutView): Next {
  const harm = harmNow(view)
  if (harm !== null) return harm
  switch (phaseOf(view.row, view.split)) {
    case 'starting':
      return startShare(view)
    case 'shifting':
      return shifting(view)
    case 'judging':
      return view.row.state === 'baking' ? baking(view) : judging(view)
  }
}

/** held: the share stays. Harm still takes it home; the end of the cause lets it go on. */
export function decideHeld(view: RolloutView): Next {
  const { db, now, row, profile } = view
  const harm = harmNow(view)
  if (harm !== null) return harm
  const resume = (text: string): Next => act(rolloutResumed.of({ rollout: row.id, text }))
  if (row.held_cause === 'halted' && view.halt === null) return resume('the halt is over')
  if (row.held_cause === 'blind' && isSeeing(view)) return resume('the data is back')
  if (row.promoted_to > row.step && row.held_cause === 'inconclusive') return resume('a person decided to go on')
  if (row.deadline_ms !== null && now >= row.deadline_ms) {
    const cause: BackCause = row.held_cause ?? 'paused'
    return act(...goHome(db, now, row, cause, `held for ${formatDuration(now - row.since_ms)}: ${row.held_text ?? cause}`))
  }
  return wait(Math.min(now + profile.lookMs, row.deadline_ms ?? Infinity))
}

/** The judge's word on the present share, when it has one. */
function judged(view: RolloutView): JudgeVerdict | null {
  const { row, evidence, now } = view
  if (!evidence?.judge || evidence.epoch !== row.epoch) return null
  return verdict(evidence.judge, now)
}

function isSeeing(view: RolloutView): boolean {
  if (view.row.state === 'held' && !hasControl(view)) return (view.evidence?.breaker ?? null) !== null
  const word = judged(view)
  return word !== null && word.verdict !== 'blind' && isFresh(view)
}

/** The last step has no control to compare with. */
function hasControl(view: RolloutView): boolean {
  return (view.profile.steps[view.row.step]?.sharePpm ?? 0) < 1_000_000
}

function isFresh(view: RolloutView): boolean {
  return view.evidence !== null && view.now - view.evidence.asOfMs <= view.profile.deadlines.blindAfterMs
}

/** Breaker and judge: whatever else a rollout waits for, harm takes it home at once. */
function harmNow(view: RolloutView): Next | null {
  const { db, now, row, evidence } = view
  if (row.kind === 'rollback') return null
  const trip = evidence?.breaker ? breakerTrip(evidence.breaker) : null
  if (trip !== null)
    return act(...goHome(db, now, row, 'breaker', trip.text, [breakerTripped.of({ rollout: row.id, rule: trip.rule, text: trip.text })]))
  const word = judged(view)
  if (word?.verdict !== 'fail') return null
  return act(...goHome(db, now, row, word.reason as BackCause, harmText(word), [verdictEntry(view, 'fail', word.reason)]))
}

/** One line for people: what was seen, beside what. */
export function harmText({ reason, numbers }: Pick<JudgeVerdict, 'reason' | 'numbers'>): string {
  const percent = (failing: number, units: number): string => `${units === 0 ? 0 : Number(((100 * failing) / units).toFixed(2))} %`
  if (reason === 'srm')
    return `the canary got ${numbers.unitsCanary} requests beside ${numbers.unitsControl} of the control: far less than its share`
  if (reason === 'latency') {
    const of = (quantile: number): string => {
      const one = numbers.latencyMs.find((entry) => entry.quantile === quantile)
      return `p${quantile * 100} ${one?.canary ?? '–'} ms against ${one?.control ?? '–'} ms`
    }
    return `the canary is slower: ${of(0.5)}, ${of(0.9)}, ${of(0.99)}`
  }
  return (
    `${numbers.failingCanary} of ${numbers.unitsCanary} canary requests failed (${percent(numbers.failingCanary, numbers.unitsCanary)}), ` +
    `${numbers.failingControl} of ${numbers.unitsControl} of the control (${percent(numbers.failingControl, numbers.unitsControl)})`
  )
}

function verdictEntry(view: RolloutView, kind: 'pass' | 'fail' | 'inconclusive' | 'blind', reason: string): Proposal {
  const judge = view.evidence?.epoch === view.row.epoch ? view.evidence.judge : null
  return stepVerdict.of({ rollout: view.row.id, step: view.row.step, verdict: kind, reason, evidence: judge ? evidenceOf(judge) : null })
}

/** starting: the step's tasks are not all healthy yet, so the share of the step before is still in force. */
function startShare(view: RolloutView): Next {
  const { db, now, row, profile, target } = view
  if (view.halt !== null && row.kind === 'forward') return hold(view, 'halted', view.halt.reason)
  const step = profile.steps[row.step]
  const canary = armOf(db, target, row.version)
  if (step && canary && canary.healthy >= row.canary_tasks) {
    const allowedBy = verdictsOf(db, row.id).findLast((one) => one.verdict === 'pass')
    const reason = `${ownerOf(row)} step ${row.step + 1}, ${allowedBy ? `verdict ${allowedBy.position}` : 'as requested'}`
    const share = setShare(db, now, target, { sharePpm: step.sharePpm, salt: row.release, sticky: row.sticky, epoch: row.epoch }, reason)
    if (!isRefusal(share)) return act(...share)
    return act(...goHome(db, now, row, 'shifting', share.message))
  }
  return late(view, `${canary?.healthy ?? 0} of ${row.canary_tasks} tasks healthy`)
}

function shifting(view: RolloutView): Next {
  return late(view, 'not every proxy has acknowledged the new share')
}

function late(view: RolloutView, text: string): Next {
  const { db, now, row } = view
  // A rollout that was held has no deadline of its own for these phases: a new one counts from when it went on.
  const deadline = row.deadline_ms ?? row.since_ms + view.profile.deadlines.preparingMs
  if (now >= deadline) return act(...goHome(db, now, row, 'shifting', text))
  return wait(deadline)
}

function hold(view: RolloutView, cause: HeldCause, text: string, before: Proposal[] = []): Next {
  const { deadlines } = view.profile
  const span = { paused: deadlines.pausedMs, halted: deadlines.pausedMs, blind: deadlines.blindMs, inconclusive: deadlines.inconclusiveMs }[
    cause
  ]
  return act(...before, rolloutHeld.of({ rollout: view.row.id, cause, text, deadlineMs: view.now + span }))
}

/** judging: the share is in force; grows only by a `pass`, never without data. */
function judging(view: RolloutView): Next {
  const { now, row, profile } = view
  const step = profile.steps[row.step]
  if (!step) return wait(null)
  if (view.halt !== null) return hold(view, 'halted', view.halt.reason)
  const since = judgingSince(row, view.split)
  const word = judged(view)
  if (word === null || !isFresh(view) || word.verdict === 'blind') {
    const blindSince = Math.max(since, view.evidence?.asOfMs ?? 0)
    const isBlind = word?.verdict === 'blind' || now - blindSince >= profile.deadlines.blindAfterMs
    if (!isBlind) return wait(Math.min(blindSince + profile.deadlines.blindAfterMs, now + profile.lookMs))
    const reason = word?.verdict === 'blind' ? word.reason : 'no-evidence'
    return hold(view, 'blind', `no trustworthy data (${reason})`, [verdictEntry(view, 'blind', reason)])
  }
  const isPromoted = row.promoted_to > row.step
  const passes = word.verdict === 'pass' || (isPromoted && word.verdict === 'continue' && word.numbers.unitsCanary > 0)
  if (passes && (isPromoted || now >= since + step.minimumMs) && isHealthy(view)) {
    return act(verdictEntry(view, 'pass', word.verdict === 'pass' ? word.reason : 'promoted'), ...enterStep(view, row.step + 1))
  }
  const overAt = since + Math.max(profile.extend * step.minimumMs, profile.inconclusiveMinMs)
  if (now >= overAt) {
    return hold(view, 'inconclusive', `no verdict after ${formatDuration(now - since)} (${word.reason})`, [
      verdictEntry(view, 'inconclusive', word.reason),
    ])
  }
  return wait(Math.min(now + profile.lookMs, overAt))
}

function isHealthy(view: RolloutView): boolean {
  const canary = armOf(view.db, view.target, view.row.version)
  const since = canary?.allHealthySinceMs ?? null
  return canary !== null && since !== null && canary.healthy >= view.row.canary_tasks && view.now >= since + view.profile.healthyMs
}

/** baking: all traffic is on the new release, the old tasks stand by; the breaker watches. */
function baking(view: RolloutView): Next {
  const { db, now, row, profile, target } = view
  const step = profile.steps[row.step]
  const overAt = judgingSince(row, view.split) + (step?.minimumMs ?? 0)
  const isWaiting = now < overAt && row.promoted_to <= row.step
  if (isWaiting) return wait(Math.min(overAt, now + profile.lookMs))
  if (row.kind === 'forward' && !isHealthy(view)) return wait(now + profile.lookMs)
  const tasks = setTasks(db, now, target, null, [{ arm: 'primary', version: row.version, count: row.tasks }], `${ownerOf(row)} succeeded`)
  if (isRefusal(tasks)) return act(...goHome(db, now, row, 'shifting', tasks.message))
  return act(rolloutSucceeded.of({ rollout: row.id }), ...tasks, ...releaseScopes([scopeOf(row.service)], ownerOf(row)))
}
