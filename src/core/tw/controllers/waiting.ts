import { filterText, isInfeasible } from '../scheduler/filters.ts'
import type { GroupDecision } from './reconcile-group.ts'

export interface WaitingReason {
  version: number
  /** slots without a task */
  indexes: number[]
  code: 'TW_NO_CAPACITY' | 'TW_NO_FEASIBLE_NODE' | 'TW_QUOTA'
  why: string
}

/** Why slots of a group stay empty: no node takes the task, or its owner may not place it. */
export function waitingReasons(decision: Pick<GroupDecision, 'blocked' | 'overQuota'>): WaitingReason[] {
  return [
    ...decision.blocked.map(({ version, indexes, filters }) => ({
      version,
      indexes,
      code: isInfeasible(filters) ? ('TW_NO_FEASIBLE_NODE' as const) : ('TW_NO_CAPACITY' as const),
      why: filterText(filters),
    })),
    ...decision.overQuota.map(({ version, indexes, why }) => ({ version, indexes, code: 'TW_QUOTA' as const, why })),
  ]
}
