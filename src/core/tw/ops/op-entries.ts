import type { Proposal } from '../../contracts/entry.ts'
import { opAllowed, opFinished, opForced, opsProposed, opWithdrawn } from '../entries/ops.ts'
import type { OpSteps } from './op-steps.ts'

/** What to log of a group's {@link OpSteps}, in the order in which it has to be applied. */
export function opEntries(job: string, group: string, steps: Omit<OpSteps, 'stop'>): Proposal[] {
  const entries: Proposal[] = []
  if (steps.finish.length > 0) entries.push(opFinished.of({ job, group, ops: steps.finish }))
  for (const { ops, why } of steps.withdraw) entries.push(opWithdrawn.of({ job, group, ops, why }))
  if (steps.propose.length > 0) {
    const ops = steps.propose.map(({ task, ...rest }) => ({ task: task.id, ...rest }))
    entries.push(opsProposed.of({ job, group, ops }))
  }
  for (const { ops, why } of steps.force) entries.push(opForced.of({ job, group, ops, why }))
  if (steps.allow.length > 0) entries.push(opAllowed.of({ job, group, ops: steps.allow }))
  return entries
}
