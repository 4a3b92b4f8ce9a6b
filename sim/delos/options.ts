/** What one run is made of. */
export interface SimOptions {
  seed: number
  servers: 3 | 5
  mode: 'safety' | 'liveness'
  mutant: string | null
  /** what is simulated: a register per key on one quorum loglet after the other, the whole store on it, or the virtual log over loglets of all kinds. Left out: the first */
  scenario?: 'log' | 'kv' | 'vlog'
}

export interface SimResult {
  seed: number
  ok: boolean
  /** what was violated, with where; null if nothing was */
  violation: string | null
  /** of everything that happened, in order: equal for equal seeds */
  traceHash: string
  operations: number
  commits: number
  elections: number
  switches: number
  crashes: number
  /** keys whose history was too hard to judge */
  undecided: number
  /** of the store: lease ends, renewals, events and bookmarks shown, damaged servers found */
  kv: Record<'expiries' | 'renewals' | 'events' | 'progresses' | 'found' | 'revisions', number> | null
  simulatedMs: number
}

/** Simulated time with faults, and after them. */
export const FAULTS_MS = 1500
export const CALM_MS = 4000
export const CLIENTS = 4
export const KEYS = 3
/** Operations a client has to finish in a run of liveness; in one of safety it goes on until the time is over. */
export const OPERATIONS_PER_CLIENT = 80
