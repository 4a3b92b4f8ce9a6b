import type { ContainerSpec } from '../contracts/node.ts'
import type { JobKind } from './job-kind.ts'
import { jobFileSchema, type Amount, type Constraint } from './schema.ts'
import { crossChecks, rawChecks } from './spec/checks.ts'
import { explainIssue, type SpecIssue } from './spec/issues.ts'
import { notYetIssues } from './spec/not-yet.ts'
import { resolveJob } from './spec/resolve.ts'

export { pathText, type SpecIssue } from './spec/issues.ts'
export type { JobKind } from './job-kind.ts'

/** A job with everything resolved: what is kept of each version beside its document. */
export interface JobSpec {
  job: string
  kind: JobKind
  priority: number
  /** whose guaranteed capacity it uses; null: the shared rest */
  entitlement: string | null
  /** runs started by the clock; null: it runs from its submission on */
  periodic: PeriodicSpec | null
  /** runs started by `tw job dispatch`; null: it runs from its submission on */
  parameters: ParametersSpec | null
  labels: Record<string, string>
  groups: GroupSpec[]
}

export interface PeriodicSpec {
  /** five fields each: minute, hour, day of month, month, day of week */
  cron: string[]
  /** IANA name of the zone the fields are read in */
  zone: string
  /** what becomes of a run that is due while the one before it goes on: dropped, started after it, or started instead of it */
  overlap: 'skip' | 'queue' | 'replace'
}

export interface ParametersSpec {
  /** keys of `--meta` that a run must have, and may have */
  required: string[]
  optional: string[]
  payload: 'none' | 'optional' | 'required'
}

/** A group of tasks. All times are ms; every field has a value, also in versions kept before the field was there ({@link completeGroup}). */
export interface GroupSpec {
  name: string
  /** wanted tasks; of `system` and `sysbatch` jobs the eligible nodes say how many */
  count: number
  maxUnavailable: Amount
  maxSurge: Amount
  minHealthyMs: number
  healthyDeadlineMs: number
  /** an update without one more healthy task for so long has failed */
  progressDeadlineMs: number
  /** a failed update goes back to the version before by itself */
  autoRevert: boolean
  /** tasks of a new version that run beside the old ones until the update is promoted */
  canary: Amount
  constraints: Constraint[]
  affinities: { constraint: Constraint; /** −100..100 */ weight: number }[]
  spread: SpreadSpec[]
  /** at most `max` live tasks of the group on nodes that share the attribute's value */
  distinct: { attribute: string; max: number }[]
  /** only nodes of this pool; null: of the pool `default`, which is every node without `meta.pool` */
  pool: string | null
  /** may take the place of tasks of lower priority */
  preempts: boolean
  /** uses what is idle and goes first */
  isBestEffort: boolean
  disconnect: DisconnectSpec
  consent: ConsentSpec
  /** how long a hard op waits for consent before it is forced; null: until the deadline of its cause */
  opsTimeoutMs: number | null
  /** in which order planned stops go when the application does not say */
  order: StopOrder
  /** groups of the same job that must have come so far before a task of this one starts */
  after: { group: string; until: 'started' | 'healthy' | 'completed' }[]
  /** a task that runs longer is ended and counts as failed; null: without limit */
  maxRunTimeMs: number | null
  /** all its tasks get a place together, or none does */
  isAllOrNothing: boolean
  services: ServiceSpec[]
  uses: string[]
  reschedule: RescheduleSpec
  labels: Record<string, string>
  container: ContainerSpec
}

export interface SpreadSpec {
  /** `region`, `zone`, `rack`, `node`, or any attribute of nodes, `meta.power` */
  attribute: string
  /** value → share of the tasks in parts per million; null: even over the values there are */
  targets: Record<string, number> | null
  /** a task that would go past its value's share waits instead */
  isHard: boolean
}

export interface DisconnectSpec {
  /** so long after its node is lost a task is replaced */
  lostAfterMs: number
  /** so long after losing the server an agent stops the task itself; null: never */
  stopAfterMs: number | null
  /** which one stays when the node returns */
  keep: 'best' | 'original' | 'replacement'
}

/** Who is asked before a planned stop. */
export type ConsentSpec =
  | { kind: 'none' }
  | { kind: 'http'; port: string; path: string }
  | { kind: 'http'; url: string }
  | { kind: 'pull' }
  | { kind: 'command'; command: string[] }

export type StopOrder = 'any' | 'leader-last' | 'index' | 'reverse-index'

/** How a slot whose task failed is tried again: after `delayMs`, each time `factor` times later. */
export interface RescheduleSpec {
  delayMs: number
  factor: number
  maxDelayMs: number
  /** tries within `intervalMs` before the slot is given up; null: unlimited */
  attempts: number | null
  intervalMs: number
}

export interface ServiceSpec {
  name: string
  port: string
  protocol: 'http' | 'tcp'
  requestTimeoutMs: number
  retriesMax: number
}

export type SpecResult = { ok: true; spec: JobSpec } | { ok: false; issues: SpecIssue[] }

/** Document (parsed YAML or JSON) → {@link JobSpec}, or everything that is wrong with it at once. Pure. */
export function jobSpecOf(document: unknown): SpecResult {
  const result = jobFileSchema.safeParse(document)
  const early = notYetIssues(document)
  if (!result.success) {
    const issues = result.error.issues.flatMap((issue) => explainIssue(issue, document))
    return { ok: false, issues: [...issues, ...rawChecks(document), ...early] }
  }
  const issues = [...crossChecks(result.data), ...early]
  return issues.length > 0 ? { ok: false, issues } : { ok: true, spec: resolveJob(result.data) }
}

/** What fields that came later mean in a version kept before. */
const JOB_DEFAULTS = { entitlement: null, periodic: null, parameters: null } as const
const GROUP_DEFAULTS: Omit<
  GroupSpec,
  'name' | 'count' | 'maxUnavailable' | 'maxSurge' | 'minHealthyMs' | 'healthyDeadlineMs' | 'labels' | 'container'
> = {
  progressDeadlineMs: 600_000,
  autoRevert: false,
  canary: { count: 0 },
  constraints: [],
  affinities: [],
  spread: [],
  distinct: [],
  pool: null,
  preempts: false,
  isBestEffort: false,
  disconnect: { lostAfterMs: 0, stopAfterMs: null, keep: 'best' },
  consent: { kind: 'none' },
  opsTimeoutMs: null,
  order: 'any',
  after: [],
  maxRunTimeMs: null,
  isAllOrNothing: false,
  services: [],
  uses: [],
  reschedule: { delayMs: 0, factor: 1, maxDelayMs: 0, attempts: null, intervalMs: 0 },
}
const CONTAINER_DEFAULTS = { diskBytes: 0, gpu: null } as const

/** A kept spec in today's form. */
export function completeJob(kept: JobSpec): JobSpec {
  return { ...JOB_DEFAULTS, ...kept, groups: kept.groups.map(completeGroup) }
}

/** A kept group in today's form: absent fields filled, the spread of older versions (names of attributes) spelled out. */
export function completeGroup(kept: GroupSpec): GroupSpec {
  const group = { ...GROUP_DEFAULTS, ...kept }
  return {
    ...group,
    spread: (group.spread as (SpreadSpec | string)[]).map((it) =>
      typeof it === 'string' ? { attribute: it, targets: null, isHard: false } : it,
    ),
    reschedule: { ...GROUP_DEFAULTS.reschedule, ...group.reschedule },
    container: { ...CONTAINER_DEFAULTS, ...group.container },
  }
}

/** How many tasks an amount is of `total`: shares round down for what may be missing, up for what may be added. */
export function amountOf(amount: Amount, total: number, round: 'down' | 'up'): number {
  if ('count' in amount) return amount.count
  const exact = (amount.ppm * total) / 1_000_000
  return round === 'down' ? Math.floor(exact) : Math.ceil(exact)
}
