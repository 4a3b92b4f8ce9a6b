import { availableParallelism } from 'node:os'

/** Threads of one engine. */
export const THREADS = Math.max(1, Math.min(4, availableParallelism()))
