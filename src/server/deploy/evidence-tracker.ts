import type { ReadDb } from '../../core/contracts/storage.ts'
import { BREAKER_WINDOW_MS, type BreakerView } from '../../core/deploy/analysis/breaker.ts'
import { restartGate, startJudge } from '../../core/deploy/analysis/judge.ts'
import {
  earlierEvidence,
  judgePolicy,
  phaseOf,
  profileOf,
  rolloutRow,
  rolloutsInFlight,
  rolloutTarget,
  type RolloutRow,
} from '../../core/deploy/queries.ts'
import { earlierOf, type Evidence } from '../../core/deploy/evidence.ts'
import type { RolloutEvidence } from '../../core/deploy/soft.ts'
import { armOf } from '../../core/deploy/through-tw.ts'
import { splitStatus } from '../../core/tw/queries.ts'
import type { LiveAnswer } from '../../core/scuba/live/aggregate.ts'
import { readWindows, recentUnits, secondsOf, type ArmAt, type Reading, type Seconds } from './live-windows.ts'
import { RestartCount } from './restart-count.ts'

/** What to ask of scuba for one rollout. */
export interface LiveQuestion {
  rollout: number
  service: string
  fromMs: number
}

/**
 * Keeps the evidence of the rollouts in flight: turns answers of scuba into windows, once each, and feeds the judge. Holds
 * nothing that cannot be read again, and has no clock of its own.
 */
export interface EvidenceTracker {
  /** Follows the state, then says what is to be asked now. */
  questions: (db: ReadDb, now: number) => LiveQuestion[]
  absorb: (db: ReadDb, rollout: number, answer: LiveAnswer, now: number) => void
  failed: (rollout: number) => void
  evidence: (rollout: number) => RolloutEvidence | null
}

const READ_BACK_MS = 110 * 60_000

interface Tracked {
  row: RolloutRow
  epoch: number
  /** of this step; null: its share is not in force, or there is no control */
  reading: Reading | null
  /** gate start that the judge knows */
  gateFromMs: number
  /** of the last answer */
  seconds: Seconds
  unhealthySinceMs: number | null
  restarts: RestartCount
  breaker: BreakerView | null
  asOfMs: number
  failedQueries: number
}

export function createEvidenceTracker(): EvidenceTracker {
  const tracked = new Map<number, Tracked>()

  return {
    questions: (db, now) => {
      const flying = rolloutsInFlight(db).filter((row) => row.state !== 'queued' && row.state !== 'rolling-back')
      for (const id of tracked.keys()) if (!flying.some((row) => row.id === id)) tracked.delete(id)
      return flying.map((row) => {
        const entry = follow(db, tracked.get(row.id), row, now)
        tracked.set(row.id, entry)
        const fromMs = Math.min(entry.reading?.cursorMs ?? Infinity, now - BREAKER_WINDOW_MS - 1000)
        return { rollout: row.id, service: row.service, fromMs: Math.floor(fromMs / 1000) * 1000 }
      })
    },
    absorb: (db, rollout, answer, now) => {
      const entry = tracked.get(rollout)
      const row = rolloutRow(db, rollout)
      if (!entry || !row || row.epoch !== entry.epoch) return
      entry.row = row
      entry.asOfMs = now
      entry.failedQueries = 0
      consume(entry, answer)
      entry.breaker = breakerOf(db, entry, answer, now)
    },
    failed: (rollout) => {
      const entry = tracked.get(rollout)
      if (entry) entry.failedQueries += 1
    },
    evidence: (rollout) => {
      const entry = tracked.get(rollout)
      if (!entry || entry.asOfMs === 0) return null
      return {
        epoch: entry.epoch,
        judge: entry.reading?.judge ?? null,
        breaker: entry.breaker,
        asOfMs: entry.asOfMs,
        failedQueries: entry.failedQueries,
      }
    },
  }
}

/** The rollout's entry for its present share; a new judge once the share is in force. */
function follow(db: ReadDb, before: Tracked | undefined, row: RolloutRow, now: number): Tracked {
  const split = splitStatus(db, row.service)
  const entry: Tracked = before ?? {
    row,
    epoch: row.epoch,
    reading: null,
    gateFromMs: row.gate_from_ms,
    seconds: new Map(),
    unhealthySinceMs: null,
    restarts: new RestartCount(),
    breaker: null,
    asOfMs: 0,
    failedQueries: 0,
  }
  entry.row = row
  if (entry.epoch !== row.epoch) Object.assign(entry, { epoch: row.epoch, reading: null })
  const step = profileOf(row).steps[row.step]
  const isShared = step !== undefined && step.sharePpm < 1_000_000 && phaseOf(row, split) === 'judging'
  if (entry.reading === null && isShared && split?.appliedAtMs != null) {
    const warmupMs = row.step === 0 ? profileOf(row).warmupMs : 0
    const sharedMs = Math.ceil((split.appliedAtMs + warmupMs) / 1000) * 1000
    // Scuba keeps two hours at hand: what is older than that cannot be read again after a restart.
    const fromMs = Math.max(sharedMs, Math.floor((now - READ_BACK_MS) / 1000) * 1000)
    const judge = startJudge(judgePolicy(db, row), fromMs, earlierOf(earlierEvidence(db, row)))
    entry.reading = { judge, cursorMs: fromMs, failing: new Set() }
    // A gate that started before the evidence is the step's own; a later one is a resume, met when its windows come.
    entry.gateFromMs = Math.min(row.gate_from_ms, fromMs)
  }
  entry.restarts.note(armOf(db, rolloutTarget(row), row.version)?.restarts ?? 0, now)
  return entry
}

const armAt: ArmAt = (arm) => (arm === 'canary' ? 'canary' : 'control')

/** Adds every second that is final, once, in order. */
function consume(entry: Tracked, answer: LiveAnswer): void {
  entry.seconds = secondsOf(answer, armAt)
  if (entry.reading === null) return
  readWindows(entry.reading, answer, entry.seconds, armAt, (judge, fromMs) => {
    if (entry.row.gate_from_ms <= entry.gateFromMs || fromMs < entry.row.gate_from_ms) return judge
    entry.gateFromMs = entry.row.gate_from_ms
    return restartGate(judge)
  })
}

function breakerOf(db: ReadDb, entry: Tracked, answer: LiveAnswer, now: number): BreakerView {
  const { row } = entry
  const arm = armOf(db, rolloutTarget(row), row.version)
  // While a step's tasks start, some are not healthy yet: that is not the breaker's business.
  const isSettled = row.step >= 0 && phaseOf(row, splitStatus(db, row.service)) === 'judging'
  const unhealthy = arm && isSettled ? Math.max(0, arm.wanted - arm.healthy) : 0
  entry.unhealthySinceMs = unhealthy > 0 ? (entry.unhealthySinceMs ?? now) : null
  return {
    canary: recentUnits(entry.seconds, 'canary', answer.nowMs),
    control: recentUnits(entry.seconds, 'control', answer.nowMs),
    usualRate: usualRate(earlierEvidence(db, row)),
    tasks: {
      wanted: arm?.wanted ?? 0,
      unhealthy,
      unhealthyForMs: entry.unhealthySinceMs === null ? 0 : now - entry.unhealthySinceMs,
      restartsLastMinute: entry.restarts.lastMinute(),
    },
  }
}

/** The control's failure rate in the steps before: what the bake, which has no control, is measured by. */
function usualRate(steps: readonly Evidence[]): number {
  const last = steps.at(-1)
  return last && last.unitsControl > 0 ? last.failingControl / last.unitsControl : 0
}
