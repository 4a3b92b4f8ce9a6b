/** What one proposer's batches are told apart by: the newest sequence number, and which of the last ones were applied. */
interface Session {
  newest: number
  applied: Set<number>
}

/** As it is kept beside the rows: proposer, newest, applied ones. */
export type SessionRow = [proposer: number, newest: number, applied: number[]]

/** So many of a proposer's last batches are told apart; one that comes later than that is taken for applied. */
export const WINDOW = 64
/** Proposers that are remembered; each start of a server is one. */
export const PROPOSERS_MAX = 128

/**
 * Lets each batch through once, however often it stands in the log: a proposer that did not hear what became of a batch sends it again
 * under the same number (delos, 3.5). A plain "not above the newest" would lose a batch whose first try failed after the next one
 * was logged. Part of the state: every server must decide alike, so its rows are kept with the position.
 */
export class AppliedOnce {
  readonly #sessions = new Map<number, Session>()

  constructor(rows: readonly SessionRow[] = []) {
    for (const [proposer, newest, applied] of rows) this.#sessions.set(proposer, { newest, applied: new Set(applied) })
  }

  /** False: it was applied before, or is too late to know. Notes nothing. */
  isNew(proposer: number, seq: number): boolean {
    const session = this.#sessions.get(proposer)
    return session === undefined || (seq > session.newest - WINDOW && !session.applied.has(seq))
  }

  /** True the first time; false: it was applied before, or is too late to know. */
  admit(proposer: number, seq: number): boolean {
    const isNew = this.isNew(proposer, seq)
    const session = this.#session(proposer)
    if (!isNew) return false
    session.applied.add(seq)
    if (seq > session.newest) {
      // Each number that falls out of the window, so that the set stays as small as the window is.
      for (let old = session.newest - WINDOW + 1; old <= seq - WINDOW; old += 1) session.applied.delete(old)
      session.newest = seq
    }
    return true
  }

  /** In the order in which they were last heard. */
  rows(): SessionRow[] {
    return [...this.#sessions].map(([proposer, { newest, applied }]) => [proposer, newest, [...applied].toSorted((a, b) => a - b)])
  }

  #session(proposer: number): Session {
    const known = this.#sessions.get(proposer)
    if (known === undefined) {
      if (this.#sessions.size >= PROPOSERS_MAX) this.#sessions.delete(this.#sessions.keys().next().value as number)
      const session = { newest: 0, applied: new Set<number>() }
      this.#sessions.set(proposer, session)
      return session
    }
    // To the end: the one that was silent for longest is forgotten first.
    this.#sessions.delete(proposer)
    this.#sessions.set(proposer, known)
    return known
  }
}
