import { DigestComparison, MARK_EVERY, type DigestMark, type DigestVerdict } from '../../../core/delos/engines/digest-comparison.ts'

/** What servers tell each other beside the log (`serve/aside.ts`). */
export interface Telling {
  announce(what: string, body: () => unknown): void
  onTell(what: string, listener: (body: never) => void): void
}

export type Difference = Exclude<DigestVerdict, { kind: 'fine' }>

export interface DigestExchangeOptions {
  aside: Telling
  /** what servers tell each other of this log goes by this name */
  topic: string
  self: bigint
  /** how many servers have a copy, this one among them */
  servers: () => number
  /** Copies of which this differs are not compared, since neither is damaged: positions that were passed over, what made the tables. */
  without: () => string
  /** Told once that this server is the odd one, or that no majority is alike; a split may turn out to be of an odd one later, or to be over. */
  onDifference: (verdict: Difference) => void
  /** after a split: a majority has what is here */
  onOver?: () => void
  /** positions between two comparisons */
  every?: number
}

export interface DigestExchange {
  isMark(position: number): boolean
  /** The digest of the copy here as it was after a position that is a mark. */
  applied(position: number, digest: number): void
  verdict(): DigestVerdict
  /** Newest position at which a majority, this server among it, was found to be alike; 0: none yet. */
  agreedPosition(): number
  /** Another copy is here from now on: nothing that was found of the one before says anything of it. */
  beginAnew(): void
}

/**
 * Compares what this server made of a log with what the others made of it, at every 1,000th position (delos, 3.7): of the store's log its rows
 * (`row-digests.ts`), of the control log its state (`control-digests.ts`).
 */
export function exchangeDigests(options: DigestExchangeOptions): DigestExchange {
  const { aside, topic, self, servers, without, onDifference, onOver, every = MARK_EVERY } = options
  const comparison = new DigestComparison(servers, every)
  let told: DigestVerdict['kind'] = 'fine'

  const judge = (): void => {
    const { verdict } = comparison
    if (verdict.kind === told) return
    told = verdict.kind
    if (verdict.kind === 'fine') onOver?.()
    else onDifference(verdict)
  }

  let before = without()
  const ofThis = (): string => {
    const now = without()
    // What the others said is of another log than the one that is applied here now.
    if (now !== before) comparison.forgetOthers()
    before = now
    return now
  }
  aside.announce(topic, () => ({ id: self.toString(), marks: comparison.marks(), without: ofThis() }))
  aside.onTell(topic, ({ id, marks, without: theirs = '' }: { id: string; marks: DigestMark[]; without?: string }) => {
    if (theirs !== ofThis()) return
    comparison.heard(id, marks)
    judge()
  })

  return {
    isMark: (position) => comparison.isMark(position),
    applied: (position, digest) => {
      comparison.applied(position, digest)
      judge()
    },
    verdict: () => comparison.verdict,
    agreedPosition: () => comparison.agreedPosition(),
    beginAnew: () => {
      comparison.beginAnew()
      told = 'fine'
    },
  }
}
