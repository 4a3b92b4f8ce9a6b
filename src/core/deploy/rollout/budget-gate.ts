import type { ReadDb } from '../../contracts/storage.ts'
import { refuse, type MusterError } from '../../kernel/errors.ts'
import { troubledObjectives } from '../../scuba/slo/queries.ts'
import type { Profile } from '../profile.ts'

/**
 * A service that has spent the error budget of an objective, or burns it at a rate that pages, gets nothing new: what is
 * left belongs to what goes wrong by itself. A hotfix may go out, since it may be the cure; going back is never held up.
 */
export function budgetGate(db: ReadDb, service: string, profile: Profile): MusterError | null {
  if (profile.name === 'hotfix') return null
  const objective = troubledObjectives(db, service)[0]
  if (!objective) return null
  const why = objective.isSpent ? 'is spent' : `burns (tier ${objective.tier ?? ''})`
  return refuse('DEPLOY_BUDGET_SPENT', `The error budget of ${service} ${objective.objective} ${why}: ${objective.reason}`)
}
