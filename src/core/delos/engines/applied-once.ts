/** What one proposer's batches are told apart by: the newest sequence number, and which of the last ones were applied. */
interface Session {
  newest: number
  applied: Set<number>
  /** as it is kept; null: changed since it was made */
  row: SessionRow | null
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
    for (const row of rows) this.#sessions.set(row[0], { newest: row[1], applied: new Set(row[2]), row })
  }

  /** proposers that are remembered, at most `PROPOSERS_MAX` */
  get size(): number {
    return this.#sessions.size
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
    session.row = null
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
    const rows: SessionRow[] = []
    for (const [proposer, session] of this.#sessions) {
      // Asked for with every write of the rows, when most proposers have been silent since.
      session.row ??= [proposer, session.newest, [...session.applied].toSorted((a, b) => a - b)]
      rows.push(session.row)
    }
    return rows
  }

  #session(proposer: number): Session {
    const known = this.#sessions.get(proposer)
    if (known === undefined) {
      if (this.#sessions.size >= PROPOSERS_MAX) this.#sessions.delete(this.#sessions.keys().next().value as number)
      const session: Session = { newest: 0, applied: new Set<number>(), row: null }
      this.#sessions.set(proposer, session)
      return session
    }
    // To the end: the one that was silent for longest is forgotten first.
    this.#sessions.delete(proposer)
    this.#sessions.set(proposer, known)
    return known
  }
}
