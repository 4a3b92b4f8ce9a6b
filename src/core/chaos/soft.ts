import type { CheckState } from './guard/step.ts'

/** What the server measured for one live run; lost with the server, never logged. */
export interface RunSoft {
  /** log time of the last whole look */
  atMs: number
  /** in the order of `checksOf` */
  checks: readonly CheckState[]
  /** requests and users that mesh faults of the run have hit, as the rows say */
  effect: { requests: number; users: number }
  /** distinct users of the services in the baseline; null: not known */
  users: number | null
}

export interface ChaosSoft {
  run: (id: string) => RunSoft | undefined
}

export const NO_SOFT: ChaosSoft = { run: () => undefined }

/** Older than this, what was measured says nothing any more. */
export const STALE_MS = 5000
