import type { Entry } from '../../core/contracts/entry.ts'
import { isRefusal, refuse } from '../../core/kernel/errors.ts'
import type { Job, JobDone } from './control-log.ts'
import { isFull } from './derived-state.ts'
import type { EntryRegistry } from './entry-registry.ts'
import { dropWatch, planId, touchedBy, watchChanges } from './plan-diff.ts'
import type { OpenDb } from './state-db.ts'

/**
 * Decides one submission inside the open transaction, in a savepoint: its entries are applied when it is decided, and nothing is left of
 * one that is refused, or that is only a plan. A full disk may end the transaction itself.
 * @param at log time of its entries
 * @param next number of the first of them
 * @param isDone whether what a plan asks for was done since it was made
 * @param noRoom what to say of a full disk
 */
export function decideJob(
  db: OpenDb,
  registry: EntryRegistry,
  job: Job,
  { at, next, isDone }: { at: number; next: number; isDone: (plan: string, asked: readonly Entry[]) => boolean },
  noRoom: (cause: unknown) => unknown,
): { done: JobDone } | { refused: unknown } {
  db.raw.exec('SAVEPOINT job')
  try {
    const changesOf = job.isPlan || job.options.applyPlan ? watchChanges(db) : null
    const decided = job.decide(db, { now: at, position: next })
    if (isRefusal(decided)) throw decided
    const entries: Entry[] = []
    for (const proposal of decided.entries) {
      const { actor, trace } = job.options
      const entry = registry.seal(db, proposal, { position: next + entries.length, at, actor, trace })
      registry.apply(db, entry)
      entries.push(entry)
    }
    const value = decided.value(db)
    let plan: JobDone['plan'] = null
    if (changesOf) {
      const changes = changesOf()
      plan = { id: planId(next, entries, changes), position: next, entries: entries.map(({ type, body }) => ({ type, body })), changes }
      const wanted = job.options.applyPlan
      if (wanted !== undefined && wanted.split('-')[1] !== plan.id.split('-')[1]) {
        throw refuse('PLAN_STALE', `what plan ${wanted} touches has changed; it would now be ${plan.id}`)
      }
      if (wanted !== undefined && entries.length > 0 && touchedBy(changes).length === 0 && isDone(wanted, entries))
        throw refuse('PLAN_STALE', `what plan ${wanted} asks for was done since, or it is too old to tell; it would now be ${plan.id}`)
      // The triggers exist only inside this savepoint: drop them, keep the change.
      if (!job.isPlan) dropWatch(db)
    }
    if (job.isPlan) {
      db.raw.exec('ROLLBACK TO job; RELEASE job')
      return { done: { value, position: next, entries: [], plan } }
    }
    db.raw.exec('RELEASE job')
    return { done: { value, position: next + entries.length, entries, plan } }
  } catch (error) {
    if (db.raw.inTransaction) db.raw.exec('ROLLBACK TO job; RELEASE job')
    return { refused: isFull(error) ? noRoom(error) : error }
  }
}
