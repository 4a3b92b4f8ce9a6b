/** What can be asked of delos, and what other systems use in their own decisions. */
export * from './operations/kv.ts'
export * from './operations/lease.ts'
export * from './operations/lock.ts'
export * from './operations/log.ts'
export * from './operations/scope.ts'
export * from './operations/snapshot.ts'
