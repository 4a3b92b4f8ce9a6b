import type { ReadDb } from '../contracts/storage.ts'
import type { Opinion } from '../delos/queries.ts'
import { toleranceOf } from '../kernel/stats/tolerance.ts'
import { formatShare } from '../kernel/units.ts'
import { breakerTrip, type BreakerView } from './analysis/breaker.ts'
import { verdict, type JudgeNumbers, type JudgeState } from './analysis/judge.ts'
import { LATE_MS, type JudgePolicy } from './analysis/policy.ts'
import { PROFILES } from './profile.ts'
import { spreadOf } from './rollout/policy.ts'
import { harmText } from './rollout/stepping.ts'

/** A version of a configuration that a share of its readers has. */
export interface ConfigTrial {
  name: string
  version: number
  active: number
  sharePpm: number
  goodBelowPpm: number
}

/** What the server measured of a trial; it is lost with the server, and gathered again as tasks read and are asked. */
export interface TrialEvidence {
  /** whose requests are judged by; null: not known, or not one */
  service: string | null
  /** services whose tasks read it */
  services: readonly string[]
  /** tasks that have the version on trial, and those that have the active one */
  tasks: { canary: number; control: number }
  /** null: no task has had the version on trial yet */
  judge: JudgeState | null
  /** the last seconds; null: no data */
  breaker: BreakerView | null
  /** log time of the last answer of scuba; 0: none came */
  asOfMs: number
}

/** The factor by which what a gate shows lies above what a good canary may have. */
const GATE_OVER_TOLERANCE = 1.2

/** A tail is made by the slowest tasks alone, which differ more than the means of all: by about √2 where there are a few. */
const TAIL_SPREAD = Math.SQRT2

/**
 * What the judge goes by: as in a rollout of configuration at that share, but by the requests that came, since no split sends them, and
 * tolerant of what a few tasks differ by from a few others, in latency too.
 */
export function trialPolicy(db: ReadDb, service: string, trial: ConfigTrial, tasks: TrialEvidence['tasks']): JudgePolicy {
  const profile = PROFILES['config'] as (typeof PROFILES)[string]
  // Two means of k and m tasks differ as one mean of this many does from what it is the mean of.
  const tasksEach = 1 / (1 / Math.max(1, tasks.canary) + 1 / Math.max(1, tasks.control))
  const spread = spreadOf(db, service) / Math.sqrt(tasksEach)
  const tolerance = toleranceOf(spread, 1)
  const step = profile.steps.find(({ sharePpm, gateRatio }) => gateRatio !== null && sharePpm >= trial.sharePpm)
  const latencyTolerance = Math.max(profile.latency.tolerance, toleranceOf(TAIL_SPREAD * spread, 1))
  const gateMin = GATE_OVER_TOLERANCE * (1 + tolerance)
  return {
    alpha: profile.alpha,
    beta: profile.beta,
    share: Math.min(trial.sharePpm, 999_999) / 1e6,
    split: 'observed',
    tolerance,
    gateRatio: Math.max(step?.gateRatio ?? 0, gateMin),
    floorRate: trial.goodBelowPpm / 1e6,
    latency: {
      tolerance: latencyTolerance,
      floorMs: profile.latency.floorMs,
      gateRatio: Math.max(profile.latency.gateRatio, GATE_OVER_TOLERANCE * (1 + latencyTolerance)),
    },
  }
}

/** What the evidence says at log time `now`: never good without requests of both kinds of tasks. */
export function trialOpinion(trial: ConfigTrial, evidence: TrialEvidence, now: number): Opinion {
  const { service, tasks, judge, breaker } = evidence
  const cannotTell = (text: string): Opinion => ({ verdict: null, text })
  if (service === null) return cannotTell(whoseText(evidence.services))
  const bad = (text: string): Opinion => ({ verdict: 'fail', text: `${service}: ${text}` })
  const trip = breaker === null ? null : breakerTrip(breaker)
  if (trip !== null) return bad(trip.text)
  const word = judge === null ? null : verdict(judge, now)
  if (word?.verdict === 'fail') return bad(harmText(word))

  const { version, active } = trial
  if (tasks.canary === 0) return cannotTell(`no task of ${service} has read version ${version}; ${tasks.control} have version ${active}`)
  if (tasks.control === 0) return cannotTell(`every task of ${service} that reads it has version ${version}: there is none to compare with`)
  if (word === null || word.verdict === 'blind' || now - evidence.asOfMs > LATE_MS)
    return cannotTell(`no trustworthy counts of the requests of ${service} came from scuba`)
  const { numbers } = word
  if (numbers.unitsCanary === 0)
    return cannotTell(`no request of ${service} came to the ${tasks.canary} tasks that have version ${version}`)
  if (numbers.unitsControl === 0)
    return cannotTell(`no request of ${service} came to the ${tasks.control} tasks that have version ${active}`)
  const seen = `${service}: ${harmText({ reason: 'errors', numbers })}`
  if (word.verdict === 'pass') return { verdict: 'pass', text: seen }
  return cannotTell(`${seen}; ${missingText(word.reason, numbers, trial)}`)
}

function whoseText(services: readonly string[]): string {
  const what = 'name the service to judge by with `muster delos config set --service`'
  if (services.length > 1) return `its readers are tasks of ${services.join(' and ')}: ${what}`
  return `none of its readers is a task of a service that says its name (--reader "$MUSTER_TASK"): ${what}`
}

/** Why requests that did not fail do not do. */
function missingText(reason: string, { gate }: JudgeNumbers, { goodBelowPpm }: ConfigTrial): string {
  if (reason !== 'gate:errors') return 'too few to tell whether it is slower'
  const enough = Math.ceil(gate.line / 1000 / -Math.log(1 - goodBelowPpm / 1e6)) + 1
  return `that fewer than ${formatShare(goodBelowPpm)} fail takes ${enough} without a failure`
}
