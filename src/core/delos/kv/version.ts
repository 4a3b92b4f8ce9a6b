import type { Key, KeyValue } from '../wire/messages.ts'

/**
 * One change of one key, and at the same time the `KeyValue` of answers and events, so that nothing is copied
 * on the way out. A deletion (tombstone) has etcd's form of a deleted key: all zero but key and mod_revision. Never changed.
 */
export interface Version extends Readonly<KeyValue> {
  /** place within its revision, from 0 */
  readonly sub: number
  readonly isDeleted: boolean
}

/** All that is kept of one key, oldest first; never empty while the key is in the index. */
export interface KeyHistory {
  readonly key: Key
  readonly versions: Version[]
  /** the last of `versions` */
  latest: Version
  /** where the index has it */
  chunk: Chunk | null
}

/** A stretch of the index: keys in order, and how many of them are there now. */
export interface Chunk {
  readonly items: KeyHistory[]
  live: number
}

export const NO_BYTES = new Uint8Array(0)

export function tombstone(key: Key, revision: number, sub: number): Version {
  return { key, create_revision: 0, mod_revision: revision, version: 0, value: NO_BYTES, lease: 0n, sub, isDeleted: true }
}

/** The version that was there at a revision: the newest not above it, a tombstone included; null if it was never there before. */
export function versionAt(history: KeyHistory, revision: number): Version | null {
  const { latest, versions } = history
  if (latest.mod_revision <= revision) return latest
  return versions[firstFrom(versions, revision + 1) - 1] ?? null
}

/** The first place with a revision not below. */
export function firstFrom(versions: readonly Version[], revision: number): number {
  let low = 0
  let high = versions.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const version = versions[middle]
    if (version !== undefined && version.mod_revision < revision) low = middle + 1
    else high = middle
  }
  return low
}

/** What a version costs in memory and on disk, roughly: its bytes and 64 for the rest of the row. */
export const bytesOf = (version: Version): number => version.key.length + version.value.length + 64
