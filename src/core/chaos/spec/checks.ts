import type { Experiment, Measure } from '../schema.ts'

/** A number that must stay in its bounds while faults are armed. */
export interface Check {
  name: string
  /** a breached hypothesis or guard makes the run `deviated`; both abort it */
  kind: 'hypothesis' | 'guard'
  source: { measure: Measure; service: string; windowMs: number } | { sql: string }
  min: number | null
  max: number | null
  /** with fewer requests in the window a ratio says nothing and passes */
  requestsMin: number
  /** the bound is taken from the baseline: 3 × its value or 0.5 points above it, whichever is more */
  fromBaseline: boolean
}

/** Hypothesis probes, guards, and the guard that is always there: the error ratio of each service touched, unless a check of its own bounds it. */
export function checksOf(experiment: Experiment, services: readonly string[]): Check[] {
  const base = { requestsMin: 0, fromBaseline: false }
  const hypothesis = experiment['steady-state-hypothesis'].probes.map(({ name, provider, tolerance: [min, max] }): Check => ({
    name,
    kind: 'hypothesis',
    min,
    max,
    ...base,
    source: 'sql' in provider ? { sql: provider.sql } : { measure: provider.measure, service: provider.service, windowMs: provider.window },
  }))
  const guards = experiment.muster.guards.map(({ name, measure, service, window, sql, min, max }): Check => ({
    name,
    kind: 'guard',
    min: min ?? null,
    max: max ?? null,
    ...base,
    source: measure === undefined || service === undefined ? { sql: sql ?? '' } : { measure, service, windowMs: window },
  }))
  const own = [...hypothesis, ...guards]
  const isBounded = (service: string): boolean =>
    own.some(({ source, max }) => 'measure' in source && source.measure === 'error_ratio' && source.service === service && max !== null)
  const always = services
    .filter((service) => !isBounded(service))
    .map((service): Check => ({
      name: `error ratio of ${service}`,
      kind: 'guard',
      min: null,
      max: 0.005,
      requestsMin: 50,
      fromBaseline: true,
      source: { measure: 'error_ratio', service, windowMs: 10_000 },
    }))
  return [...own, ...always]
}
