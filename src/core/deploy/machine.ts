import { HALT_ENTRIES } from './entries/halt.ts'
import { RELEASE_ENTRIES } from './entries/release.ts'
import { ROLLOUT_ENTRIES } from './entries/rollout.ts'

/** All entries of deploy and how they change its tables. */
export const DEPLOY_ENTRIES = [...RELEASE_ENTRIES, ...ROLLOUT_ENTRIES, ...HALT_ENTRIES] as const

export * from './entries/halt.ts'
export * from './entries/release.ts'
export * from './entries/rollout.ts'
