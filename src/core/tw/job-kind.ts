/** `service` runs until stopped, `batch` to completion, `system` one per eligible node, `sysbatch` once per node. */
export type JobKind = 'service' | 'batch' | 'system' | 'sysbatch'

/** Its tasks come to an end. */
export function isBatch(kind: JobKind | undefined): boolean {
  return kind === 'batch' || kind === 'sysbatch'
}

/** One of each node: such tasks leave a drained node last, and have nowhere else to go. */
export function isSystem(kind: JobKind | undefined): boolean {
  return kind === 'system' || kind === 'sysbatch'
}
