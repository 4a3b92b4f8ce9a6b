import { assert, must } from '../../kernel/assert.ts'
import type { Prng } from '../../kernel/prng.ts'
import { nextValue, planFor, type Change, type Intent } from './plan.ts'
import type { RegisterReply } from './register-contract.ts'
import { VIRTUAL_LOG_RULES, type VirtualLogRules } from './rules.ts'
import { lastSegment, problemOf, type LogletKind, type RegisterValue, type Segment } from './value.ts'

/**
 * Carries out one change of the chain ("Virtual Consensus in Delos", OSDI 2020, section 3.2): a new loglet is made ready, the last one
 * sealed, its end found, the register's next version decided, the new one opened. Every step may be done again, by anyone; a driver that
 * dies leaves nothing that another cannot continue. Sans-IO: it gives actions and is given their results.
 */

/** Its own change lost to another's so often: it gives up. */
export const TRIES_MAX = 3
/** A step that failed is asked again after this. */
export const RETRY_MS = 150
/** The driver gives up; what is sealed by then is continued by who finds it. */
export const DRIVER_MS = 30_000

export type Phase = 'planning' | 'preflight' | 'seal' | 'tail' | 'lease' | 'propose' | 'open' | 'over'

export type DriverInput =
  | { kind: 'tick'; now: number }
  /** a version newer than the one it works on */
  | { kind: 'known'; now: number; value: RegisterValue }
  /** `problem` null: a majority of its servers has made the loglet ready, on disk */
  | { kind: 'preflighted'; now: number; loglet: number; problem: string | null }
  /**
   * It accepts nothing any more. `round`: the highest that was used in it, or may have been; 0 without ballots. `leaseUntil`: until
   * when (this driver's clock) its leader may still answer reads by itself; 0 if that is over or was given up
   */
  | { kind: 'sealed'; now: number; loglet: number; round: number; leaseUntil: number }
  /** position after its last entry */
  | { kind: 'tail'; now: number; loglet: number; position: number }
  | { kind: 'proposed'; now: number; reply: RegisterReply }
  /** it takes appends */
  | { kind: 'opened'; now: number; loglet: number }
  /** seal, tail or open did not succeed in time: it is asked again */
  | { kind: 'failed'; now: number; loglet: number; problem: string }

export interface NewLoglet {
  loglet: number
  kind: LogletKind
  config: Segment['config']
}

export type Action =
  /** make it ready on its servers, empty, and see that a majority answers and that its disks sync. `forVersion`: what it would be part of */
  | { kind: 'preflight'; segment: NewLoglet; forVersion: number }
  | { kind: 'seal'; segment: Segment }
  | { kind: 'tail'; segment: Segment }
  | { kind: 'propose'; value: RegisterValue }
  | { kind: 'open'; segment: Segment }
  /** it will never be part of the chain */
  | { kind: 'abandon'; loglet: number }

export type Outcome =
  /** the chain is as wanted. `loglet` null: without a new segment, or another server did it */
  | { kind: 'done'; value: RegisterValue; loglet: number | null; tries: number }
  /** DELOS_RECONFIGURE_LOST: `value` won */
  | { kind: 'lost'; value: RegisterValue; tries: number }
  /** nothing was changed, but for a clone that continues the log if it was sealed already */
  | { kind: 'refused'; problem: string }
  /** gave up in the middle: what is sealed is continued by who finds it */
  | { kind: 'unfinished'; phase: Phase; problem: string }

export interface DriverOutput {
  actions: Action[]
  outcome: Outcome | null
  wakeAt: number
}

export interface Driver {
  readonly intent: Intent
  readonly self: number
  readonly prng: Prng
  readonly guard: (base: RegisterValue) => string | null
  readonly rules: VirtualLogRules
  readonly until: number
  now: number
  base: RegisterValue
  phase: Phase
  tries: number
  change: Change | null
  loglet: number
  sealedRound: number
  leaseUntil: number
  tail: number
  proposed: RegisterValue | null
  /** an earlier try to have it decided ended unknown: someone may still decide it */
  mayBeDecided: boolean
  opening: Segment | null
  problem: string
  /** why the intent cannot be, though the last segment is sealed already: the log is continued by a clone. Null: it still can */
  fallback: string | null
  /** when the step is asked again; infinite while its result is awaited */
  retryAt: number
  out: DriverOutput
}

export interface DriverOptions {
  intent: Intent
  /** the newest version that is known here */
  base: RegisterValue
  /** number of the server that drives */
  self: number
  /** chooses ids of loglets, which must never be chosen twice: seed it with what is random */
  prng: Prng
  /** monotonic ms; the first step is a tick */
  now: number
  /** asked at every try, on the version it would change: why it must not be done, in words (`members.ts`), or null */
  guard?: (base: RegisterValue) => string | null
  /** never anything but the default outside the simulator */
  rules?: VirtualLogRules
}

export function createDriver(options: DriverOptions): Driver {
  const { intent, base, self, prng, now, guard = () => null, rules = VIRTUAL_LOG_RULES } = options
  return {
    intent,
    self,
    prng,
    guard,
    rules,
    until: now + DRIVER_MS,
    now,
    base,
    phase: 'planning',
    tries: 1,
    change: null,
    loglet: 0,
    sealedRound: 0,
    leaseUntil: 0,
    tail: 0,
    proposed: null,
    mayBeDecided: false,
    opening: null,
    problem: 'no answer',
    fallback: null,
    retryAt: now,
    out: { actions: [], outcome: null, wakeAt: now },
  }
}

/** Takes one input; after an outcome there are no more. */
export function stepDriver(d: Driver, input: DriverInput): DriverOutput {
  d.out = { actions: [], outcome: null, wakeAt: Number.MAX_SAFE_INTEGER }
  if (input.now > d.now) d.now = input.now
  if (d.phase !== 'over') take(d, input)
  if (d.phase !== 'over') {
    if (d.now >= d.until) finish(d, { kind: 'unfinished', phase: d.phase, problem: d.problem })
    else if (d.now >= d.retryAt) ask(d)
  }
  d.out.wakeAt = d.phase === 'over' ? Number.MAX_SAFE_INTEGER : Math.min(d.retryAt, d.until)
  return d.out
}

function take(d: Driver, input: DriverInput): void {
  switch (input.kind) {
    case 'tick':
      return
    case 'known':
      return onNewer(d, input.value)
    case 'preflighted':
      return onPreflighted(d, input.loglet, input.problem)
    case 'sealed':
      if (d.phase !== 'seal' || input.loglet !== lastSegment(d.base).loglet) return
      d.sealedRound = Math.max(lastSegment(d.base).lastRound, input.round)
      d.leaseUntil = input.leaseUntil
      return enter(d, 'tail')
    case 'tail':
      if (d.phase !== 'tail' || input.loglet !== lastSegment(d.base).loglet) return
      d.tail = input.position
      return enter(d, 'lease')
    case 'proposed':
      return onProposed(d, input.reply)
    case 'opened':
      if (d.phase === 'open' && input.loglet === d.opening?.loglet)
        finish(d, { kind: 'done', value: d.base, loglet: d.loglet, tries: d.tries })
      return
    case 'failed':
      if (d.phase === 'planning' || d.phase === 'propose') return
      d.problem = input.problem
      d.retryAt = d.now + RETRY_MS
      return
  }
}

function enter(d: Driver, phase: Phase): void {
  d.phase = phase
  d.retryAt = d.now
}

function finish(d: Driver, outcome: Outcome): void {
  d.phase = 'over'
  d.out.outcome = outcome.kind === 'done' && d.fallback !== null ? { kind: 'refused', problem: d.fallback } : outcome
}

/** Asks for the step that the phase needs; the result, or `failed`, goes on from there. */
function ask(d: Driver): void {
  d.retryAt = Number.MAX_SAFE_INTEGER
  const last = lastSegment(d.base)
  switch (d.phase) {
    case 'planning':
      return plan(d)
    case 'preflight': {
      const { kind, config } = must(must(d.change, 'a plan').segment, 'a new segment')
      d.out.actions.push({ kind: 'preflight', segment: { loglet: d.loglet, kind, config }, forVersion: d.base.version + 1 })
      return
    }
    case 'seal':
      d.out.actions.push({ kind: 'seal', segment: last })
      return
    case 'tail':
      d.out.actions.push({ kind: 'tail', segment: last })
      return
    case 'lease': {
      // The old leader may answer reads by itself until then: nothing may be written behind its back.
      if (d.rules.waitsForLease && d.now < d.leaseUntil) {
        d.retryAt = d.leaseUntil
        return
      }
      enter(d, 'propose')
      return ask(d)
    }
    case 'propose': {
      const change = must(d.change, 'a plan')
      const opened = change.segment === null ? null : { loglet: d.loglet, tail: d.tail, lastRound: d.sealedRound }
      d.proposed = nextValue(d.base, change, opened)
      d.out.actions.push({ kind: 'propose', value: d.proposed })
      return
    }
    case 'open':
      d.out.actions.push({ kind: 'open', segment: must(d.opening, 'a segment to open') })
      return
    case 'over':
      return
  }
}

/** What it works on now. */
function intentOf(d: Driver): Intent {
  return d.fallback === null ? d.intent : { kind: 'clone' }
}

function plan(d: Driver): void {
  const made = planFor(d.base, intentOf(d), d.self)
  if (made.kind === 'nothing') return finish(d, { kind: 'done', value: d.base, loglet: null, tries: d.tries })
  if (made.kind === 'refused') return finish(d, made)
  const problem = d.fallback === null ? d.guard(d.base) : null
  if (problem !== null) return finish(d, { kind: 'refused', problem })
  // What could never be decided must not seal anything.
  const last = lastSegment(d.base)
  const flaw = problemOf(nextValue(d.base, made.change, { loglet: 0, tail: last.firstPosition, lastRound: last.lastRound }))
  if (flaw !== null) return finish(d, { kind: 'refused', problem: flaw })
  d.change = made.change
  d.proposed = null
  d.mayBeDecided = false
  if (made.change.segment === null) enter(d, 'propose')
  else {
    d.loglet = freshLoglet(d)
    enter(d, 'preflight')
  }
  ask(d)
}

/** Two drivers must not mean different loglets by one id, also not this one before and after it lost. */
function freshLoglet(d: Driver): number {
  for (;;) {
    const loglet = 1 + d.prng.below(2 ** 31)
    if (!d.base.chain.some((segment) => segment.loglet === loglet)) return loglet
  }
}

function onPreflighted(d: Driver, loglet: number, problem: string | null): void {
  if (d.phase !== 'preflight' || loglet !== d.loglet) return
  if (problem === null) return enter(d, 'seal')
  d.problem = problem
  // Who continues what is sealed already has no choice but to try again; anyone else has changed nothing yet.
  if (intentOf(d).kind === 'clone') d.retryAt = d.now + RETRY_MS
  else {
    d.out.actions.push({ kind: 'abandon', loglet })
    finish(d, { kind: 'refused', problem })
  }
}

function onProposed(d: Driver, reply: RegisterReply): void {
  if (d.phase !== 'propose') return
  if (reply.kind === 'decided') return onNewer(d, reply.value)
  if (reply.kind === 'refused' && reply.why === 'invalid') return finish(d, { kind: 'unfinished', phase: d.phase, problem: reply.problem })
  // Nobody but this driver may know that the log stands still: it does not wait for others to continue it.
  if (reply.kind === 'unknown') d.mayBeDecided = true
  const isLeft = reply.kind === 'refused' && reply.why === 'unreachable' && !d.mayBeDecided
  if (isLeft && d.change?.segment != null && intentOf(d).kind !== 'clone') {
    d.fallback = reply.problem
    d.out.actions.push({ kind: 'abandon', loglet: d.loglet })
    d.loglet = 0
    return enter(d, 'planning')
  }
  d.problem = reply.kind === 'unknown' ? 'whether the next version was decided is not known' : reply.problem
  d.retryAt = d.now + RETRY_MS
}

/** A version was decided that this driver did not know. */
function onNewer(d: Driver, value: RegisterValue): void {
  if (value.version <= d.base.version) return
  const { change, proposed } = d
  const own = d.loglet === 0 ? undefined : value.chain.find(({ loglet }) => loglet === d.loglet)
  if (d.phase === 'open' || own !== undefined) {
    const isDone = own === undefined || own.end !== null
    d.base = value
    if (isDone) return finish(d, { kind: 'done', value, loglet: d.loglet, tries: d.tries })
    d.opening = own
    if (d.phase !== 'open') enter(d, 'open')
    return
  }
  d.base = value
  if (change?.segment != null) d.out.actions.push({ kind: 'abandon', loglet: d.loglet })
  // Without a segment of its own a change is recognized by there being nothing left to do.
  if (change?.segment === null && proposed !== null && planFor(value, intentOf(d), d.self).kind === 'nothing')
    return finish(d, { kind: 'done', value, loglet: null, tries: d.tries })
  if (intentOf(d).kind === 'clone') return finish(d, { kind: 'done', value, loglet: null, tries: d.tries })
  if (d.tries >= TRIES_MAX) return finish(d, { kind: 'lost', value, tries: d.tries })
  assert(d.tries < TRIES_MAX, 'tries are counted')
  d.tries += 1
  d.loglet = 0
  enter(d, 'planning')
}
