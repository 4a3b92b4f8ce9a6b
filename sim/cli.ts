import type { Pool } from './pool.ts'

/** What was asked for, and how to answer. */
export interface Asked {
  from: number
  seeds: number
  mutant: string | null
  mutants: boolean
  trace: boolean
  json: boolean
  servers?: string | undefined
  mode?: string | undefined
  scenario?: string | undefined
  pool: Pool
  say: (line: string) => void
  /** ends the process: the question makes no sense */
  usage: (problem: string) => never
  /** since the start, ms */
  sinceMs: () => number
}
