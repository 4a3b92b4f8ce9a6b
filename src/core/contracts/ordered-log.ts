import type { LogletEntry } from './loglet.ts'

/** Who may decide for the log at the moment. */
export interface LogRole {
  /** this server: what it appends goes in without a detour, and it may let leases expire */
  isLeader: boolean
  /** id of the leader, or null while there is none */
  leader: bigint | null
  /** grows with every leader; the round of its ballot */
  term: number
}

/** Where a log goes on for who holds everything before it otherwise: in a snapshot. */
export interface LogBase {
  /** of the next entry */
  position: number
  /** the loglet that holds it, and the slot before it there; 0 and 0 where there is but one */
  loglet: number
  slot: number
}

/**
 * A log of opaque batches, each at one position, the same on every server that has it. One server with a file and a
 * quorum of servers stand behind the same calls.
 */
export interface OrderedLog {
  /**
   * Resolves with the position once the batch is durable (on a majority) and was given to `onCommitted` here. Rejects
   * with DISK_FULL, DELOS_NO_QUORUM (nothing was appended) or DELOS_OUTCOME_UNKNOWN (it may still come).
   */
  append(batch: Uint8Array): Promise<number>
  /** Calls back for each committed batch, in order, once, from the position after `from`'s last read on. */
  onCommitted(listener: (position: number, batch: Uint8Array) => void): void
  /** Resolves once everything that was committed anywhere before the call has been given to `onCommitted` here. */
  readBarrier(): Promise<void>
  /** True while a lease lets this server answer linearizable reads by itself; what is read before the call then counts. */
  holdsReadLease(): boolean
  role(): LogRole
  /** Gives what ends it. */
  onRole(listener: (role: LogRole) => void): () => void
  /** Position after the last committed batch, and the first that can still be read. */
  tail(): number
  head(): number
  /** Committed batches from `from` on. */
  read(from: number, max: number): LogletEntry[]
  /** Of the last writes to the disk, until fdatasync returned; 0 without any. */
  syncStats(): { p50Ms: number; p99Ms: number }
  /** Gives up the space of batches below `position`, as far as that goes. Resolves once it is on the disk. */
  trim(position: number): Promise<void>
  /** From where who holds everything up to `position` goes on; null: that is not, or no longer, in this log. */
  baseAt(position: number): LogBase | null
  /**
   * The store holds everything before `base.position`, on disk. If this log is behind that, it begins there from now on and
   * `onCommitted` goes on with `base.position`; else nothing happens. Resolves once it is on the disk.
   */
  install(base: LogBase): Promise<void>
  /** Another server says that it no longer has what comes next here: a snapshot is wanted. Gives what ends it. */
  onBehind(listener: (from: bigint) => void): () => void
  close(): Promise<void>
}
