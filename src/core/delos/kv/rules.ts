import type { Version } from './version.ts'

/**
 * Rules of the store on which its promises hang, each by itself. `KV_RULES` are the right ones; the simulator breaks one at a time to
 * prove that it would notice. Nothing else ever passes others. Numbers: the invariants of README.md.
 */
export interface KvRules {
  /** 5: all keys of a lease go in one revision */
  isLeaseOneRevision: boolean
  /** 5: which leader's clock may end leases */
  isEpochCurrent(epoch: number, current: number): boolean
  /** 5: a leader whose epoch was overtaken claims again, or no lease ends under it */
  isClaimRepeated: boolean
  /**
   * 4: whether a version outlives compaction: the newest at or below the compacted revision if it is not a deletion, and all from that
   * revision on. So a deletion *at* the compacted revision can still be watched (etcd-io/etcd#18089, #19179).
   */
  isKept(version: Version, next: Version | undefined, compactRevision: number): boolean
  /** 6: a bookmark waits for the watches of its stream that are behind */
  doesProgressWait: boolean
  /** 7: a watch is asked for its rights */
  isWatchPermitted: boolean
}

export const KV_RULES: KvRules = {
  isLeaseOneRevision: true,
  isEpochCurrent: (epoch, current) => epoch === current,
  isClaimRepeated: true,
  isKept: (version, next, compactRevision) => {
    if (version.mod_revision >= compactRevision) return true
    return !version.isDeleted && (next === undefined || next.mod_revision > compactRevision)
  },
  doesProgressWait: true,
  isWatchPermitted: true,
}
