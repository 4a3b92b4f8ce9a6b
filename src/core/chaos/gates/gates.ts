import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { refuse, type MusterError } from '../../kernel/errors.ts'
import { releaseScopes } from '../../delos/operations.ts'
import { scopeHolder } from '../../delos/queries.ts'
import { inFlightOf } from '../../deploy/queries.ts'
import { openIncidents } from '../../sev/queries.ts'
import { environmentOf, haltRow, liveRuns, planOf, type RunRow } from '../rows.ts'
import type { Experiment } from '../schema.ts'

export interface Gate {
  gate: 'halt' | 'environment' | 'sev' | 'rollout' | 'lock' | 'fleet'
  isOpen: boolean
  detail: string
}

const RUNS_MAX = 3

/** Every condition for a run to start; all must be open. `self` is the run that asks again while it is under way. */
export function gatesOf(db: ReadDb, now: number, experiment: Experiment, services: readonly string[], self: string | null): Gate[] {
  const halt = haltRow(db)
  const environment = environmentOf(db)
  const incidents = openIncidents(db, undefined, 2)
  const rollouts = services.flatMap((service) => inFlightOf(db, service).map(({ id }) => `r${id} of ${service}`))
  const others = liveRuns(db).filter(({ id }) => id !== self)
  const shared = others.find((run) => planOf(run).services.some((service) => services.includes(service)))
  const held = services
    .map((service) => scopeHolder(db, scopeOf(service), now))
    .find((lock) => lock !== null && lock.holder !== holderOf(self))
  const gate = (name: Gate['gate'], isOpen: boolean, open: string, shut: string): Gate => ({
    gate: name,
    isOpen,
    detail: isOpen ? open : shut,
  })
  return [
    gate('halt', halt === null, 'not halted', `chaos is halted: ${halt?.reason ?? ''} (${halt?.author ?? ''})`),
    gate(
      'environment',
      environment === experiment.muster.environment,
      `this is ${environment}`,
      `the experiment is for "${experiment.muster.environment}", this fleet is "${environment}"`,
    ),
    gate(
      'sev',
      incidents.length === 0,
      'no SEV1 or SEV2 is open',
      `SEV${incidents[0]?.level ?? ''} #${incidents[0]?.number ?? ''} is open`,
    ),
    gate('rollout', rollouts.length === 0, 'no rollout on the targets', `rollout ${rollouts.join(', ')} is in flight`),
    gate(
      'lock',
      shared === undefined && !held,
      'the targets are free',
      shared ? `run ${shared.id} holds ${shared.service ?? 'the targets'}` : `${held?.scope ?? ''} is held by ${held?.holder ?? ''}`,
    ),
    gate('fleet', others.length < RUNS_MAX, `${others.length} other runs`, `${others.length} runs are under way, at most ${RUNS_MAX}`),
  ]
}

/** Null when all gates are open; else the refusal that lists every one that is shut. */
export function refusalOf(gates: readonly Gate[]): MusterError | null {
  const shut = gates.filter(({ isOpen }) => !isOpen)
  const only = shut.length === 1 ? shut[0]?.gate : null
  if (shut.length === 0) return null
  const code =
    only === 'halt' ? 'CHAOS_HALTED' : only === 'environment' ? 'CHAOS_ENVIRONMENT' : only === 'lock' ? 'CHAOS_LOCKED' : 'CHAOS_GATE'
  return refuse(code, shut.map(({ detail }) => detail).join('; '), { details: { gates } })
}

export function scopeOf(service: string): string {
  return `service:${service}`
}

export function holderOf(run: string | null): string {
  return `chaos:${run ?? ''}`
}

/** What goes with the end of a run: its targets are free for the next one. */
export function releaseTargets(run: RunRow): Proposal[] {
  return releaseScopes(planOf(run).services.map(scopeOf), holderOf(run.id))
}
