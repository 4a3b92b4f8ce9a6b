import { must } from '../kernel/assert.ts'

/** 1: global outage · 2: major feature down · 3: degraded · 4: minor. The smaller number is the higher level. */
export type Level = 1 | 2 | 3 | 4

export interface LadderStep {
  targets: readonly string[]
  /** since the ladder started */
  afterMs: number
}

/** What a level promises and, where a policy says nothing, whom it asks. */
export interface LevelRule {
  level: Level
  title: string
  /** a human acknowledgement is due within */
  ackDueMs: number | null
  steps: readonly LadderStep[]
  /** times the steps are gone through again before the last resort */
  repeat: number
  /** between two rounds, and before the last resort */
  roundMs: number
  /** the last resort is asked again and again at this distance, without end; null: once */
  lastResortEveryMs: number | null
  /** an acknowledged incident without a human act for so long returns to open; null: never */
  staleAckMs: number | null
  /** a postmortem is due so long after it was resolved; null: on request */
  postmortemDueMs: number | null
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE

const step = (afterMs: number, ...targets: string[]): LadderStep => ({ afterMs, targets })

/** The response targets. One table: paging, consoles, documents and tests read it. */
export const LEVELS: readonly LevelRule[] = [
  {
    level: 1,
    title: 'global outage',
    ackDueMs: 5 * MINUTE,
    steps: [step(0, 'primary', 'secondary', 'ic'), step(5 * MINUTE, 'lead')],
    repeat: 0,
    roundMs: 5 * MINUTE,
    lastResortEveryMs: 5 * MINUTE,
    staleAckMs: 30 * MINUTE,
    postmortemDueMs: 72 * HOUR,
  },
  {
    level: 2,
    title: 'major feature down',
    ackDueMs: 15 * MINUTE,
    steps: [step(0, 'primary'), step(15 * MINUTE, 'secondary'), step(30 * MINUTE, 'lead')],
    repeat: 2,
    roundMs: 15 * MINUTE,
    lastResortEveryMs: null,
    staleAckMs: HOUR,
    postmortemDueMs: 72 * HOUR,
  },
  {
    level: 3,
    title: 'degraded',
    ackDueMs: HOUR,
    steps: [step(0, 'secondary'), step(HOUR, 'primary'), step(2 * HOUR, 'lead')],
    repeat: 1,
    roundMs: HOUR,
    lastResortEveryMs: null,
    staleAckMs: 4 * HOUR,
    postmortemDueMs: 120 * HOUR,
  },
  {
    level: 4,
    title: 'minor',
    ackDueMs: null,
    steps: [],
    repeat: 0,
    roundMs: 0,
    lastResortEveryMs: null,
    staleAckMs: null,
    postmortemDueMs: null,
  },
]

export function levelRule(level: number): LevelRule {
  return must(LEVELS[level - 1], `level ${level}`)
}

/** Retries of one delivery after its first failure. */
export const RETRY_DELAYS_MS = [5_000, 15_000, 45_000] as const

/** A page nobody could be told of for so long is dead, and the next step comes at once. */
export const PAGE_DEAD_MS = 5 * MINUTE

/** An acknowledgement may be taken back for so long as if it had not happened. */
export const ACK_UNDO_MS = 10_000

/** Asked first, then so much later a stale acknowledgement is taken back. */
export const STALE_GRACE_MS = 5 * MINUTE

/** How far back a new incident's timeline looks for changes: of the same service, and fleet-wide. */
export const LOOK_BACK_MS = { service: HOUR, fleet: 10 * MINUTE } as const
