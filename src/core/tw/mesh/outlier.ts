/** What one proxy has seen of one endpoint; decides whether it stays in use. */
export interface Health {
  /** failures in a row: 5xx answers, resets, timeouts and connect failures */
  streak: number
  streakStartMs: number
  lastSuccessMs: number
  ejectedUntilMs: number
  /** how many ejections still count: grows with each, shrinks after as long without one */
  ejections: number
}

export type Outcome = 'ok' | 'error' | 'connect'

const STREAK_MAX = 5
const EJECT_MS = 30_000
const EJECT_MAX_MS = 300_000

export function createHealth(): Health {
  return { streak: 0, streakStartMs: 0, lastSuccessMs: Number.NEGATIVE_INFINITY, ejectedUntilMs: 0, ejections: 0 }
}

export function isEjected(health: Health, nowMs: number): boolean {
  return health.ejectedUntilMs > nowMs
}

/**
 * Takes the outcome of one request on `self`; true if `self` is ejected by it.
 * @param pool the health of all endpoints of the service that are not draining, `self` among them
 * @param ejectedMax parts per million of the pool that may be ejected, this one included
 */
export function observeOutcome(pool: readonly Health[], self: Health, outcome: Outcome, nowMs: number, ejectedMax: number): boolean {
  if (outcome === 'ok') {
    self.streak = 0
    self.lastSuccessMs = nowMs
    forgiveOne(self, nowMs)
    return false
  }
  if (self.streak === 0) self.streakStartMs = nowMs
  self.streak += 1
  if (self.streak < STREAK_MAX || isEjected(self, nowMs)) return false
  if (!mayEject(pool, self, nowMs, ejectedMax)) return false
  if (outcome === 'error' && !othersAreFine(pool, self)) return false
  self.ejections += 1
  self.ejectedUntilMs = nowMs + Math.min(EJECT_MS * self.ejections, EJECT_MAX_MS)
  self.streak = 0
  return true
}

/** The share is taken after this ejection and rounded down, so 34 % is one of three and none of two; never the last. */
function mayEject(pool: readonly Health[], self: Health, nowMs: number, ejectedMax: number): boolean {
  const ejected = pool.filter((health) => health !== self && isEjected(health, nowMs)).length
  return ejected + 1 <= Math.floor((pool.length * ejectedMax) / 1_000_000) && ejected + 1 < pool.length
}

/** A dependency that is sick makes all endpoints fail alike: then at least half of the others failed since, and nobody goes. */
function othersAreFine(pool: readonly Health[], self: Health): boolean {
  let fine = 0
  let sick = 0
  for (const other of pool) {
    if (other === self) continue
    if (other.streak >= 2) sick += 1
    else if (other.lastSuccessMs >= self.streakStartMs) fine += 1
  }
  return fine > 0 && fine >= sick
}

function forgiveOne(self: Health, nowMs: number): void {
  if (self.ejections === 0) return
  const quietMs = Math.min(EJECT_MS * self.ejections, EJECT_MAX_MS)
  if (nowMs - self.ejectedUntilMs < quietMs) return
  self.ejections -= 1
  self.ejectedUntilMs = nowMs
}

/** Fewer than half usable: rather use all of them than overload the rest. */
export function isPanic(usable: number, total: number): boolean {
  return total > 0 && usable * 2 < total
}
