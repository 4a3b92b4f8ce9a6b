import type { ZoneTable } from '../../kernel/zone.ts'
import { evaluateSlo, type SloEvaluation } from './evaluate.ts'
import { judgeSlo, QUIET, type SloMove, type SloState } from './judge.ts'
import type { Objective, Window } from './objective.ts'
import type { Counts, Span } from './ring.ts'
import { BUCKET_MS, SliSeries } from './series.ts'

export interface ReplayedMove extends SloMove {
  atMs: number
}

/** A state after a move, as the log would have it. */
export function stateAfter(state: SloState, { kind, tier, sev }: SloMove): SloState {
  switch (kind) {
    case 'burn_started':
    case 'burn_raised':
      return { ...state, tier, sev }
    case 'burn_ended':
      return { ...state, tier: null, sev: null }
    case 'budget_spent':
      return { ...state, isSpent: true }
    case 'budget_restored':
      return { ...state, isSpent: false }
  }
}

/** An objective judged bucket by bucket, as the server would have: for trying a file on past rows, and for tests. */
export class SloReplay {
  readonly moves: ReplayedMove[] = []
  readonly #objective: Objective
  readonly #options: { window: Window; zone: ZoneTable; excluded: readonly Span[] }
  readonly #series = new SliSeries()
  #state: SloState = QUIET
  #last: SloEvaluation | null = null

  constructor(objective: Objective, options: { window: Window; zone: ZoneTable; excluded?: readonly Span[] }) {
    this.#objective = objective
    this.#options = { excluded: [], ...options }
  }

  get state(): SloState {
    return this.#state
  }

  /** The newest evaluation; null before the first bucket. */
  get last(): SloEvaluation | null {
    return this.#last
  }

  /** Takes in the 10 s bucket that starts then and judges at its end. Buckets come in the order of time. */
  add(startMs: number, counts: Counts): void {
    this.put(startMs, counts)
    this.judge(startMs + BUCKET_MS)
  }

  /** Takes in a bucket, new or again with late rows. */
  put(startMs: number, counts: Counts): void {
    this.#series.put(startMs, counts)
  }

  /** @param isWhole all history that is to be had is in */
  judge(asOfMs: number, isWhole = true): void {
    this.#last = evaluateSlo(this.#objective, this.#series, { version: 0, atMs: asOfMs, asOfMs, isWhole, ...this.#options })
    for (const move of judgeSlo(this.#objective, this.#state, this.#last)) {
      this.#state = stateAfter(this.#state, move)
      this.moves.push({ ...move, atMs: asOfMs })
    }
  }
}
