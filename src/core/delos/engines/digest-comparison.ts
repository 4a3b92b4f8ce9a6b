/**
 * The digest of what a server made of the log up to a position (of the store: `kv/digest.ts`; of muster's own state: `server/state/state-digest.ts`):
 * equal on all servers that have no damage and no defect.
 */
export interface DigestMark {
  readonly position: number
  readonly digest: number
}

/** Positions between two marks. */
export const MARK_EVERY = 1000
/** Own marks, and those of each other server, that are remembered: who lags by more is compared again when it has caught up. */
export const MARKS_MAX = 16

export type DigestVerdict =
  | { readonly kind: 'fine' }
  /** a majority of the servers has another digest than this one, which therefore must not serve */
  | { readonly kind: 'odd'; readonly position: number; readonly mine: number; readonly theirs: number }
  /** so many differ that no digest can have a majority: nobody knows which copy is right */
  | { readonly kind: 'split'; readonly position: number }

const FINE: DigestVerdict = { kind: 'fine' }

/**
 * Compares the digests of servers at the same positions (delos, 3.7). Soft: what is not heard is not judged; what was once found is kept
 * as long as the copy is, since what was wrong does not become right; what nobody knew is known when a majority is alike again.
 * @param servers how many have a copy, this one among them
 * @param every positions between two marks, the same everywhere
 */
export class DigestComparison {
  readonly #servers: () => number
  readonly #every: number
  readonly #own = new Map<number, number>()
  readonly #others = new Map<string, Map<number, number>>()
  #verdict: DigestVerdict = FINE

  constructor(servers: () => number, every = MARK_EVERY) {
    this.#servers = servers
    this.#every = every
  }

  get verdict(): DigestVerdict {
    return this.#verdict
  }

  /** The last own marks, to be told to the others; of a copy that nobody knows to be right none after that was found. */
  marks(): DigestMark[] {
    const last = this.#verdict.kind === 'split' ? this.#verdict.position : Number.POSITIVE_INFINITY
    return [...this.#own].flatMap(([position, digest]) => (position <= last ? [{ position, digest }] : []))
  }

  isMark(position: number): boolean {
    return position % this.#every === 0
  }

  /** Everything up to this position was applied here. Call it once for each position that `isMark`. */
  applied(position: number, digest: number): void {
    remember(this.#own, position, digest)
    this.#judge(position)
  }

  /** What another server told of itself. */
  heard(server: string, marks: readonly DigestMark[]): void {
    let known = this.#others.get(server)
    if (known === undefined) this.#others.set(server, (known = new Map()))
    for (const { position, digest } of marks) {
      if (known.get(position) === digest) continue
      remember(known, position, digest)
      this.#judge(position)
    }
  }

  /** What the others told is of another log than the one that is applied here now: it is to be told again. */
  forgetOthers(): void {
    this.#others.clear()
  }

  /** What is compared here is another copy from now on: what was found of the one before says nothing of it. */
  beginAnew(): void {
    this.#own.clear()
    this.#verdict = FINE
  }

  /** Newest position at which a majority, this server among it, was found to be alike; 0: none yet. */
  agreedPosition(): number {
    let agreed = 0
    for (const [position, digest] of this.#own) {
      if (this.#isMajority(this.#votes(position).get(digest))) agreed = Math.max(agreed, position)
    }
    return agreed
  }

  /** Servers whose digest a majority contradicts, by what this server has heard. */
  oddOnes(): string[] {
    const odd = new Set<string>()
    for (const [position, digest] of this.#own) {
      const votes = this.#votes(position)
      if (!this.#isMajority(votes.get(digest))) continue
      for (const [other, voters] of votes) if (other !== digest) for (const voter of voters) odd.add(voter)
    }
    return [...odd]
  }

  /** Digest → who has it; '' is this server. */
  #votes(position: number): Map<number, string[]> {
    const votes = new Map<number, string[]>()
    const add = (digest: number | undefined, server: string): void => {
      if (digest !== undefined) votes.set(digest, [...(votes.get(digest) ?? []), server])
    }
    add(this.#own.get(position), '')
    for (const [server, marks] of this.#others) add(marks.get(position), server)
    return votes
  }

  #isMajority(voters: readonly string[] | undefined): boolean {
    return (voters?.length ?? 0) * 2 > this.#servers()
  }

  #judge(position: number): void {
    const mine = this.#own.get(position)
    if (mine === undefined || this.#verdict.kind === 'odd') return
    const votes = this.#votes(position)
    // Others made their copies anew, and now have what is here: so this one was right.
    if (this.#verdict.kind === 'split' && position > this.#verdict.position && this.#isMajority(votes.get(mine))) this.#verdict = FINE
    if (votes.size < 2) return
    let heard = 0
    let largest = 0
    for (const [digest, voters] of votes) {
      heard += voters.length
      largest = Math.max(largest, voters.length)
      if (this.#isMajority(voters) && digest !== mine) {
        this.#verdict = { kind: 'odd', position, mine, theirs: digest }
        return
      }
    }
    // Even all that were not heard yet could not make a majority of the largest group.
    if ((largest + this.#servers() - heard) * 2 <= this.#servers() && this.#verdict.kind === 'fine')
      this.#verdict = { kind: 'split', position }
  }
}

function remember(marks: Map<number, number>, position: number, digest: number): void {
  marks.set(position, digest)
  while (marks.size > MARKS_MAX) marks.delete(marks.keys().next().value as number)
}
