import { assert } from '../../kernel/assert.ts'

export interface Timers {
  heartbeatMs: number
  /** silence after which a follower asks for an election, plus a random part of `suspectJitterMs` */
  suspectMs: number
  suspectJitterMs: number
  leaseMs: number
}

export const LAN: Timers = { heartbeatMs: 30, suspectMs: 120, suspectJitterMs: 50, leaseMs: 150 }
export const WAN: Timers = { heartbeatMs: 100, suspectMs: 450, suspectJitterMs: 200, leaseMs: 600 }

/** `wan` for a network whose round trips are known: suspicion is raised to 5 heartbeats and 2 round trips (p99). */
export function wanTimers(roundTripP99Ms: number): Timers {
  const suspectMs = Math.max(WAN.suspectMs, Math.ceil(5 * WAN.heartbeatMs + 2 * roundTripP99Ms))
  return { ...WAN, suspectMs, leaseMs: Math.max(WAN.leaseMs, Math.ceil(suspectMs * 1.25)) }
}

/** Fixed for the life of a loglet: another set of servers is another loglet. */
export interface LogletConfig {
  loglet: number
  self: number
  /** 3, 5 or 7 */
  voters: readonly number[]
  learners: readonly number[]
  firstPosition: number
  /** the last round used in the loglets before: this one's rounds are above */
  lastRound: number
  timers: Timers
  /** chosen batches kept in memory; `CACHE_BATCHES_MAX` unless said */
  cacheBatchesMax?: number
}

export const VOTERS_MAX = 7
/** Uncommitted batches a leader has under way. */
export const WINDOW_BATCHES_MAX = 8
export const WINDOW_BYTES_MAX = 8 * 1024 * 1024
/** Appends waiting for the window at one server. */
export const QUEUE_BATCHES_MAX = 4096
export const QUEUE_BYTES_MAX = 64 * 1024 * 1024
/** Payload of one accept, learn or load; one batch may be larger. */
export const CHUNK_BYTES_MAX = 1024 * 1024
export const CHUNK_BATCHES_MAX = 64
/** Accepts under way to one server. */
export const IN_FLIGHT_MAX = 16
/** Chosen batches kept in memory for servers that lag a little; older ones come from the files. What is kept for long, V8 gives back late. */
export const CACHE_BYTES_MAX = 4 * 1024 * 1024
export const CACHE_BATCHES_MAX = 8192
/** Reads waiting for a round at one server. */
export const READS_WAITING_MAX = 100_000
/** An append unacknowledged for so long, with a leader, is a defect of ours: it is dumped, and the leader steps down. */
export const APPEND_STALL_MS = 2000
/** The share of a lease the leader does not use, for clocks that run at different speeds. */
export const LEASE_MARGIN = 0.1

export function majorityOf(voters: readonly number[]): number {
  return Math.floor(voters.length / 2) + 1
}

export function checkConfig(config: LogletConfig): void {
  const all = [...config.voters, ...config.learners]
  // An even number is safe too, it only survives no more than one voter less; who asks for it has been told.
  assert(config.voters.length >= 1 && config.voters.length <= VOTERS_MAX, `${config.voters.length} voters; 1 to ${VOTERS_MAX} are wanted`)
  assert(new Set(all).size === all.length, 'a server is named once')
  assert(all.includes(config.self), 'a server runs only loglets it belongs to')
}
