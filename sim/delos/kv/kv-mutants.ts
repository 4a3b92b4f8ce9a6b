import type { KvRules } from '../../../src/core/delos/kv/rules.ts'

/** Defects of the store, planted on purpose. */
export interface KvMutant {
  rules?: Partial<KvRules>
  /** rows and cursor are written in two transactions */
  hasTornCursor?: boolean
  comparesNoDigest?: boolean
  /** the log is trimmed by what the leader has on its disk, whatever the others have */
  trimsByLeader?: boolean
  /** a leader renews leases without looking whether it still leads */
  renewsBlindly?: boolean
  mode?: 'safety' | 'liveness'
}

export const KV_MUTANTS: Record<string, KvMutant> = {
  'revoke-in-two': { rules: { isLeaseOneRevision: false } },
  'progress-before-events': { rules: { doesProgressWait: false } },
  'watch-without-permission': { rules: { isWatchPermitted: false } },
  'compaction-drops-live': { rules: { isKept: (version, _next, compactRevision) => version.mod_revision >= compactRevision } },
  'expiry-by-old-leader': { rules: { isEpochCurrent: () => true } },
  'claim-not-repeated': { rules: { isClaimRepeated: false }, mode: 'liveness' },
  'cursor-apart': { hasTornCursor: true },
  'digest-not-compared': { comparesNoDigest: true },
  'renewal-by-old-leader': { renewsBlindly: true },
  'trim-by-leader': { trimsByLeader: true },
}
