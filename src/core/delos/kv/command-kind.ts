import type { KvCommand } from './command.ts'

/** The number of a command's kind in the log. Never used for another one. */
export const COMMAND_KIND = {
  put: 1,
  deleteRange: 2,
  txn: 3,
  compact: 4,
  leaseGrant: 5,
  leaseRevoke: 6,
  leasesExpired: 7,
  leaseCheckpoint: 8,
  leaderClaimed: 9,
  alarm: 10,
  auth: 11,
  ops: 12,
} as const satisfies Record<KvCommand['kind'], number>

/** For people: what a number in the log stands for, whether or not the rest of the entry can be read. */
export function kindName(kind: number): string {
  return Object.entries(COMMAND_KIND).find(([, number]) => number === kind)?.[0] ?? `unknown ${kind}`
}
