import { z } from 'zod'

/*
 * What is wrong with a machine while its agent lives. It is measured by the agent and told when it changes; a node with one that closes it
 * takes nothing new, and what runs there stays.
 */

export const CONDITIONS = {
  'disk-full': 'less than 10 % of the disk is free',
  'inodes-full': 'less than 10 % of the inodes are free',
  'read-only': 'nothing can be written where tasks live',
  'clock-off': 'its clock is more than 250 ms from that of the server',
  'memory-pressure': 'tasks wait for memory more than 40 % of the time',
} as const

export type ConditionName = keyof typeof CONDITIONS

/** Condition → what was measured. */
export type Conditions = Partial<Record<ConditionName, string>>

export const conditionsSchema = z.partialRecord(z.enum(Object.keys(CONDITIONS) as [ConditionName, ...ConditionName[]]), z.string())

/** With these nothing new can live there. A clock that is off harms no task's start. */
export const CLOSING = ['read-only', 'disk-full', 'inodes-full', 'memory-pressure'] as const
export type ClosingCondition = (typeof CLOSING)[number]

/** Why a node takes nothing new; null: nothing is in the way. */
export function closingCondition(conditions: Conditions): ClosingCondition | null {
  return CLOSING.find((name) => conditions[name] !== undefined) ?? null
}

/** Whether two sets hold the same conditions; what was measured may differ from time to time. */
export function isSameConditions(one: Conditions, other: Conditions): boolean {
  return Object.keys(one).sort().join() === Object.keys(other).sort().join()
}
