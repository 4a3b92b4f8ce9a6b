import type { SeedOptions, SeedResult } from '../pool.ts'

export interface ControlOptions extends SeedOptions {
  /** called with each entry in words */
  tell?: (line: string) => void
}

export interface ControlResult extends SeedResult {
  entries: number
  /** planned changes that were carried out, and those of them that were forced */
  ops: number
  forced: number
  /** of the schedule */
  actions: number
  simulatedMs: number
}
