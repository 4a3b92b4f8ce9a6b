import type { SeedOptions, SeedResult } from '../pool.ts'

/** One run is told by these alone. */
export interface TwOptions extends SeedOptions {
  /** says what happens, line by line; changes nothing else */
  tell?: (line: string) => void
}

export interface TwResult extends SeedResult {
  /** of everything that happened, in order: equal for equal seeds */
  traceHash: string
  entries: number
  /** tasks that got a place */
  placed: number
  /** operations that were carried out, and those that were refused */
  operations: number
  refused: number
  /** agents, nodes and servers that died, and nodes that were given up */
  crashes: number
  lost: number
  elections: number
  /** from the end of the faults until everything was where it belongs */
  convergedMs: number
  simulatedMs: number
}

/** Simulated time with faults. */
export const FAULTS_MS = 150_000
/** Longest that one thing may stay wrong after them, and that it is watched: versions that crash for ever never come to rest. */
export const WRONG_MS_MAX = 180_000
export const CALM_MS_MAX = 400_000
/** How often it is looked whether everything has. */
export const LOOK_MS = 2500
/** Log time at which every run begins. */
export const START_AT_MS = 1_700_000_000_000
