import type { Peer, Shard } from '../../../core/scuba/registry.ts'
import { askAgainMs, HEARD_MS_MAX, standInsOf, TIMES_MAX, type CopyAsked, type FollowingCopy } from '../../../core/scuba/shards/stand-in.ts'
import { spread, type Spread, type Target } from './spread.ts'

/** Where an answer of one leaf's rows may come from: itself, or another leaf that holds a copy of them. */
export interface Place {
  of: Peer
  at: Peer
  copy?: CopyAsked
}

/** What was last heard of a leaf, as far as it matters here. */
export interface HeardOf {
  atMs: number
  /** since when it has not answered; null: it does */
  silentSinceMs: number | null
  /** of its rows, those that can answer for it */
  copies: readonly FollowingCopy[]
}

/** Asks copies in place of leaves that are slow or away, and counts how often. */
export class StandIns {
  /** questions to copies, and answers that came from them first, since the start */
  readonly counts = { asked: 0, answered: 0 }
  readonly #times = new Map<string, number[]>()

  /** Who can answer in a leaf's place. What it said of its copies counts while it answers, and if it had said it shortly before it fell silent. */
  placesOf(of: Peer, table: string, shards: readonly Shard[], heard: (leaf: string) => HeardOf | undefined): Place[] {
    const its = heard(of.id)
    if (its === undefined || (its.silentSinceMs !== null && its.silentSinceMs - its.atMs > HEARD_MS_MAX)) return []
    return standInsOf(shards, of.id, table, its.copies)
      .filter(({ peer }) => (heard(peer.id)?.silentSinceMs ?? null) === null)
      .map(({ peer, copy }) => ({ of, at: peer, copy }))
  }

  /** As {@link spread}: a copy is asked too when the leaf takes longer than it usually does. */
  async spread<T>(
    targets: readonly Target<Place>[],
    ask: (place: Place, signal: AbortSignal) => Promise<T>,
    { deadlineMs, signal }: { deadlineMs: number; signal?: AbortSignal | undefined },
  ): Promise<Spread<Place, T>> {
    const result = await spread(
      targets,
      async (place, stop) => {
        if (place.copy !== undefined) this.counts.asked += 1
        const started = performance.now()
        const value = await ask(place, stop)
        if (place.copy === undefined) this.#took(place.of.id, performance.now() - started)
        return value
      },
      { deadlineMs, signal, againMs: ({ of }) => askAgainMs(this.#times.get(of.id) ?? [], deadlineMs) },
    )
    this.counts.answered += result.answers.filter(({ by }) => by.copy !== undefined).length
    return result
  }

  #took(leaf: string, ms: number): void {
    const times = this.#times.get(leaf) ?? []
    times.push(ms)
    if (times.length > TIMES_MAX) times.shift()
    this.#times.set(leaf, times)
  }
}
