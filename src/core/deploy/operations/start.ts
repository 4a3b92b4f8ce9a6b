import { z } from 'zod'
import type { Proposal } from '../../contracts/entry.ts'
import { defineCommand, type OpContext } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { isRefusal, refuse, type MusterError } from '../../kernel/errors.ts'
import { jobVersionPut, meshShow } from '../../tw/operations.ts'
import { jobStatus } from '../../tw/queries.ts'
import { releaseCreated, rolloutRequested, rolloutSuperseded } from '../machine.ts'
import { profileFileSchema, profileSchema, PROFILES, type Profile } from '../profile.ts'
import { goHome } from '../rollout/home.ts'
import { budgetGate } from '../rollout/budget-gate.ts'
import { incidentGate } from '../rollout/incident-gate.ts'
import { haltOf, inFlightOf, lastRolloutOf, releaseOfVersion, releaseRow, releasesOf, type ReleaseRow, type RolloutRow } from '../rows.ts'
import { rolloutView, rolloutViewSchema } from '../views/rollout.ts'

/** Where the new release comes from: exactly one. */
const sourceSchema = z.strictObject({
  /** an earlier release of the service */
  release: z.string().optional(),
  /** digest of a tarball in the blob store */
  artifact: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/)
    .optional(),
  /** with an artifact: another command, or more environment, for the new version */
  command: z.array(z.string()).min(1).optional(),
  env: z.record(z.string(), z.string()).optional(),
  /** a whole job document */
  job: z.record(z.string(), z.unknown()).optional(),
  /** what a person called it: path or file name */
  label: z.string().max(200).prefault(''),
})

export const startInput = z.strictObject({
  service: z.string().min(1),
  source: sourceSchema,
  /** the name of a built-in profile, or one as in a profile file */
  profile: z.union([z.string(), profileFileSchema]).prefault('standard'),
  /** what identifies a user: `header:x-user-id` or `cookie:uid`; without it each request counts by its trace */
  sticky: z
    .string()
    .regex(/^(header|cookie):[\w-]+$/)
    .nullable()
    .prefault(null),
  /** a rollout in flight: refuse, or send it home first and begin after it */
  onNew: z.enum(['reject', 'supersede']).prefault('reject'),
  reason: z.string().max(1000).prefault(''),
})

type StartInput = z.output<typeof startInput>

/** The service's job, its group and what runs now. */
export interface Place {
  service: string
  job: string
  group: string
  version: number
  tasks: number
}

export function placeOf(db: ReadDb, service: string, ctx: OpContext): Place | MusterError {
  const shown = meshShow.answer(db, { service }, ctx)
  if (isRefusal(shown)) return refuse('DEPLOY_SERVICE_UNKNOWN', `There is no service ${service} to deploy to.`)
  const status = jobStatus(db, shown.job)
  const group = status?.groups.find((one) => one.group === shown.group)
  if (!status || !group || status.state !== 'running')
    return refuse('DEPLOY_SERVICE_UNKNOWN', `The job ${shown.job} of the service ${service} does not run.`)
  return { service, job: shown.job, group: shown.group, version: status.currentVersion, tasks: group.count }
}

/** The release that runs; one is made of a version that came to be without deploy. */
export function baseOf(db: ReadDb, place: Place): { release: string; entries: Proposal[]; n: number } {
  const n = releasesOf(db, place.service)[0]?.n ?? 0
  const known = releaseOfVersion(db, place.job, place.version)
  if (known) return { release: known.id, entries: [], n }
  const release = releaseName(place.service, n + 1)
  const created = releaseCreated.of({
    release,
    service: place.service,
    job: place.job,
    group: place.group,
    version: place.version,
    n: n + 1,
    label: `job version ${place.version}`,
    artifact: null,
    isBase: true,
  })
  return { release, entries: [created], n: n + 1 }
}

export function releaseName(service: string, n: number): string {
  return `${service}-r${n}`
}

export function resolveProfile(profile: StartInput['profile']): Profile | MusterError {
  if (typeof profile !== 'string') return profile
  return (
    PROFILES[profile] ??
    refuse('DEPLOY_PROFILE_INVALID', `There is no profile ${profile}.`, {
      hint: `Use one of ${Object.keys(PROFILES).join(', ')}, or a profile file.`,
    })
  )
}

export const deployStart = defineCommand({
  name: 'deploy.start',
  summary: 'Roll a new release of a service out, step by step, judged against the old one.',
  danger: 'medium',
  input: startInput,
  output: rolloutViewSchema,
  decide: (db, input, ctx) => {
    const place = placeOf(db, input.service, ctx)
    if (isRefusal(place)) return place
    const profile = resolveProfile(input.profile)
    if (isRefusal(profile)) return profile
    const halt = haltOf(db, input.service)
    if (halt) return refuse('DEPLOY_HALTED', `Rollouts are halted by ${halt.author}: ${halt.reason}`)
    const incident = incidentGate(db, input.service, profile)
    if (incident) return incident
    const budget = budgetGate(db, input.service, profile)
    if (budget) return budget
    if (profile.name === 'hotfix' && input.reason === '') return refuse('USAGE', 'A hotfix needs a reason.', { hint: 'Add --reason TEXT.' })
    const flying = inFlightOf(db, input.service)
    if (flying[0] && input.onNew === 'reject') return busy(flying[0])
    const base = baseOf(db, place)
    const release = newRelease(db, input, place, base.n, ctx)
    if (isRefusal(release)) return release
    return {
      entries: [
        ...flying.flatMap((row) => supersede(db, ctx.now, row)),
        ...base.entries,
        ...release.entries,
        request(place, {
          kind: 'forward',
          release: release.release,
          version: release.version,
          from: base.release,
          profile,
          sticky: input.sticky,
          reason: input.reason,
        }),
      ],
      reply: (after) => lastView(after, input.service, ctx.now),
    }
  },
})

export function busy(row: RolloutRow): MusterError {
  return refuse('DEPLOY_BUSY', `Rollout r${row.id} of ${row.service} to ${row.release} is in flight (${row.state}).`, {
    details: { rollout: row.id },
  })
}

/** A rollout that has not begun ends; one in flight goes home first. */
function supersede(db: ReadDb, now: number, row: RolloutRow): Proposal[] {
  if (row.state === 'queued') return [rolloutSuperseded.of({ rollout: row.id })]
  if (row.state === 'rolling-back') return []
  return goHome(db, now, row, 'superseded', 'a newer rollout was started')
}

export function request(
  place: Place,
  wish: {
    kind: 'forward' | 'rollback'
    release: string
    version: number
    from: string
    profile: Profile
    sticky: string | null
    reason: string
  },
): Proposal {
  return rolloutRequested.of({
    kind: wish.kind,
    service: place.service,
    job: place.job,
    group: place.group,
    release: wish.release,
    version: wish.version,
    fromRelease: wish.from,
    fromVersion: place.version,
    tasks: place.tasks,
    profile: profileSchema.parse(wish.profile),
    sticky: wish.sticky,
    reason: wish.reason,
  })
}

export function lastView(db: ReadDb, service: string, now: number): z.input<typeof rolloutViewSchema> {
  const row = lastRolloutOf(db, service)
  if (!row) throw new Error(`no rollout of ${service}`)
  return rolloutView(db, row, now)
}

interface NewRelease {
  release: string
  version: number
  entries: Proposal[]
}

function newRelease(db: ReadDb, input: StartInput, place: Place, n: number, ctx: OpContext): NewRelease | MusterError {
  const { source } = input
  const given = [source.release, source.artifact, source.job].filter((one) => one !== undefined).length
  if (given !== 1) return refuse('USAGE', 'Name one source of the release: a release, an artifact or a job document.')
  if (source.release !== undefined) return earlierRelease(db, input.service, source.release, place)
  const release = releaseName(place.service, n + 1)
  const change =
    source.job !== undefined
      ? { spec: source.job }
      : {
          group: place.group,
          ...(source.artifact === undefined ? {} : { artifact: source.artifact }),
          ...(source.command === undefined ? {} : { command: source.command }),
          ...(source.env === undefined ? {} : { env: source.env }),
        }
  const put = jobVersionPut.decide(db, { job: place.job, change, release, reason: input.reason || `release ${release}` }, ctx)
  if (isRefusal(put)) return put
  const { version } = put.reply(db)
  const created = releaseCreated.of({
    release,
    service: place.service,
    job: place.job,
    group: place.group,
    version,
    n: n + 1,
    label: source.label || release,
    artifact: source.artifact ?? null,
    isBase: false,
  })
  return { release, version, entries: [...put.entries, created] }
}

/** A known release that may be shipped (again). */
export function earlierRelease(db: ReadDb, service: string, id: string, place: Place): NewRelease | MusterError {
  const row = releaseRow(db, id)
  if (!row || row.service !== service) return refuse('DEPLOY_RELEASE_UNKNOWN', `There is no release ${id} of ${service}.`)
  if (row.state === 'bad') return knownBad(row)
  if (row.version === place.version) return refuse('DEPLOY_STATE', `${service} runs ${id} already.`)
  return { release: row.id, version: row.version, entries: [] }
}

export function knownBad(row: ReleaseRow): MusterError {
  return refuse('DEPLOY_KNOWN_BAD', `${row.id} was rolled back: ${row.why}`)
}
