import { RULES, type Rules } from '../../src/core/delos/paxos/rules.ts'

/** Defects planted on purpose: each breaks one rule, and the simulator must notice. */
export interface Mutant {
  /** of the machine */
  rules?: Partial<Rules>
  /** of what stands around it, here in the simulator */
  hasNoRollForward?: boolean
  appliesTwice?: boolean
  checksOldClock?: boolean
  /** the mode in which it must show */
  mode: 'safety' | 'liveness'
}

export const MUTANTS: Record<string, Mutant> = {
  'ack-before-sync': { rules: { ackable: ({ tail }) => tail }, mode: 'safety' },
  'promise-not-synced': { rules: { promiseWaitsForDisk: false }, mode: 'safety' },
  'suffix-ignored': {
    rules: { suffixOf: ({ accepted, committed }) => accepted.filter(({ slot }) => slot <= committed) },
    mode: 'safety',
  },
  'counted-twice': {
    rules: {
      tally: (acks, voters, self) => [self, ...voters].map((voter) => acks.get(voter) ?? 0),
    },
    mode: 'safety',
  },
  'hole-skipped': { rules: { follows: (slot, tail) => slot > tail }, mode: 'safety' },
  'seal-not-sticky': { rules: { isSealSticky: false }, mode: 'safety' },
  'zombie-append': { rules: { isCurrent: () => true }, mode: 'safety' },
  'no-roll-forward': { hasNoRollForward: true, mode: 'liveness' },
  'duplicate-after-retry': { appliesTwice: true, mode: 'safety' },
  'learner-counted': {
    rules: { votersOf: ({ voters, learners }) => [...voters, ...learners] },
    mode: 'safety',
  },
  'lease-from-answer': { rules: { leaseFrom: (_sentAt, answeredAt) => answeredAt }, mode: 'safety' },
  'lease-forgotten': { rules: { graceMs: () => 0 }, mode: 'safety' },
  'clock-before-read': { checksOldClock: true, mode: 'safety' },
}

export function rulesOf(mutant: Mutant | null): Rules {
  return { ...RULES, ...mutant?.rules }
}
