import type { LeaderChange } from '../../../core/delos/measure/server-page.ts'

interface Gap {
  sinceMs: number
  at: number
  from: bigint | null
  to: bigint | null
  term: number
}

const nameOf = (id: bigint | null): string => (id ?? 0n).toString(16)

/** How often and how long nobody led a log, as one server saw it. */
export class LeaderGap {
  /** leaders that this server has known */
  changes = 0
  last: LeaderChange | null = null
  #leader: bigint | null
  #gap: Gap | null = null

  constructor(leader: bigint | null) {
    this.#leader = leader
    if (leader !== null) this.changes = 1
  }

  noteRole({ leader, term }: { leader: bigint | null; term: number }): void {
    if (leader === this.#leader) return
    // The first leader that this server knows ends no gap.
    if (this.#leader !== null) this.#gap ??= { sinceMs: performance.now(), at: Date.now(), from: this.#leader, to: null, term }
    this.#leader = leader
    if (leader === null) return
    this.changes += 1
    if (this.#gap !== null) Object.assign(this.#gap, { to: leader, term })
  }

  /** An entry was applied: the first one under a leader, who writes one at once to claim the leases, ends the gap. */
  noteEntry(): void {
    const gap = this.#gap
    if (gap === null || gap.to === null) return
    const { at, from, to, term } = gap
    this.last = { at, from: nameOf(from), to: nameOf(to), term, gapMs: performance.now() - gap.sinceMs }
    this.#gap = null
  }
}
