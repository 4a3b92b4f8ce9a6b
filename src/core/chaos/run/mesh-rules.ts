import type { MeshFault } from '../../contracts/mesh.ts'
import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { isRefusal } from '../../kernel/errors.ts'
import { meshFaultSet, meshShow } from '../../tw/operations.ts'
import type { FaultRow } from '../rows.ts'

/** The one place where chaos puts rules on the mesh and takes them away. */

const context = (now: number) => ({ now, actor: 'controller:chaos.runs', role: 'admin' as const, position: 0 })

/** What a proxy needs of a fault: ends at its lease, not at its end; the lease is renewed while it is safe to go on. */
export function meshRuleOf(fault: Pick<FaultRow, 'id' | 'run' | 'fault' | 'arguments'>, untilMs: number): MeshFault {
  const args = JSON.parse(fault.arguments) as Record<string, string | number>
  const number = (name: string, otherwise: number): number => (typeof args[name] === 'number' ? args[name] : otherwise)
  const match: MeshFault['match'] = {}
  if (typeof args['method'] === 'string') match.method = args['method']
  if (typeof args['path'] === 'string') match.pathPrefix = args['path']
  if (typeof args['version'] === 'number') match.subset = `v${args['version']}`
  return {
    id: fault.id,
    run: fault.run,
    kind: fault.fault === 'legion.slow' ? 'delay' : fault.fault === 'legion.error' ? 'status' : 'reset',
    share: number('share', 1_000_000),
    // A salt of the run's own: the users it hits are not those of a rollout, and not those of the run before.
    salt: `chaos:${fault.run}`,
    delayMs: number('delay', 0),
    jitterMs: number('jitter', 0),
    status: number('status', 503),
    match,
    untilMs,
    usersMax: number('usersMax', 1_000_000),
  }
}

/** Entries that put rules on a service, or prolong them; none where the service is gone. */
export function setRules(db: ReadDb, now: number, service: string, add: MeshFault[], reason: string): Proposal[] {
  const decision = meshFaultSet.decide(db, { service, add, remove: [], reason }, context(now))
  return isRefusal(decision) ? [] : decision.entries
}

export function removeRules(db: ReadDb, now: number, service: string, ids: string[], reason: string): Proposal[] {
  const decision = meshFaultSet.decide(db, { service, add: [], remove: ids, reason }, context(now))
  return isRefusal(decision) ? [] : decision.entries
}

/** When the lease of a rule that stands ends, log time; null: it does not stand. */
export function leaseEnd(db: ReadDb, now: number, service: string, id: string): number | null {
  const shown = meshShow.answer(db, { service }, context(now))
  return isRefusal(shown) ? null : (shown.faults.find((rule) => rule.id === id)?.untilMs ?? null)
}
