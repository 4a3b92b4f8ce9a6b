import { filterText, isInfeasible } from '../scheduler/filters.ts'
import type { GroupDecision } from './reconcile-group.ts'

/** No open node could ever hold the task; none has room for it now; its owner may not place it. */
export const WAITING_CODES = ['TW_NO_FEASIBLE_NODE', 'TW_NO_CAPACITY', 'TW_QUOTA'] as const
export type WaitingCode = (typeof WAITING_CODES)[number]

export interface WaitingReason {
  version: number
  /** slots without a task */
  indexes: number[]
  code: WaitingCode
  why: string
}

/**
 * Why slots of a group stay empty. Of a task that neither a node takes nor its owner may place the cause is what has to change first: a task
 * that fits nowhere never will; at its quota, an owner gets no further by room; and where nothing is left for everybody, room is what lacks.
 */
export function waitingReasons(decision: Pick<GroupDecision, 'blocked' | 'overQuota'>): WaitingReason[] {
  return [
    ...decision.blocked.map(({ version, indexes, filters }) => ({
      version,
      indexes,
      code: isInfeasible(filters) ? ('TW_NO_FEASIBLE_NODE' as const) : ('TW_NO_CAPACITY' as const),
      why: filterText(filters),
    })),
    ...decision.overQuota.map(({ version, indexes, why, isAtQuota, filters }) => {
      if (filters === null) return { version, indexes, code: 'TW_QUOTA' as const, why }
      const both = `${filterText(filters)}; besides, ${why}`
      if (isInfeasible(filters)) return { version, indexes, code: 'TW_NO_FEASIBLE_NODE' as const, why: both }
      return isAtQuota
        ? { version, indexes, code: 'TW_QUOTA' as const, why }
        : { version, indexes, code: 'TW_NO_CAPACITY' as const, why: both }
    }),
  ]
}
