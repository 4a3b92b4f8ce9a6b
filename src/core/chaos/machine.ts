/** The entries of chaos and how they change its tables; each is defined beside its kind in `entries/`. */
import { FAULT_ENTRIES } from './entries/fault.ts'
import { HALT_ENTRIES } from './entries/halt.ts'
import { RUN_ENTRIES } from './entries/run.ts'

export * from './entries/fault.ts'
export * from './entries/halt.ts'
export * from './entries/run.ts'

export const CHAOS_ENTRIES = [...RUN_ENTRIES, ...FAULT_ENTRIES, ...HALT_ENTRIES] as const
