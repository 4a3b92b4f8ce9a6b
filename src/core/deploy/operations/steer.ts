import { z } from 'zod'
import type { Proposal } from '../../contracts/entry.ts'
import { defineCommand } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { isRefusal, refuse, type MusterError } from '../../kernel/errors.ts'
import { halted, releaseMarkedBad, rolloutExpired, rolloutHeld, rolloutPromoted, rolloutResumed, unhalted } from '../machine.ts'
import { ROLLBACK_PROFILE } from '../profile.ts'
import { goHome } from '../rollout/home.ts'
import {
  HALT_ALL,
  inFlightOf,
  lastRolloutOf,
  profileOf,
  releaseOfVersion,
  releasesOf,
  rolloutRow,
  type HaltRow,
  type ReleaseRow,
  type RolloutRow,
} from '../rows.ts'
import { legalCommands, rolloutView, rolloutViewSchema } from '../views/rollout.ts'
import { baseOf, busy, earlierRelease, lastView, placeOf, request, type Place } from './start.ts'

/** A rollout is named by its id (`r57`, `57`) or by its service: then the last one is meant. */
export function findRollout(db: ReadDb, name: string): RolloutRow | MusterError {
  const id = /^r?(\d+)$/.exec(name)?.[1]
  const row = id === undefined ? lastRolloutOf(db, name) : rolloutRow(db, Number(id))
  return row ?? refuse('DEPLOY_ROLLOUT_UNKNOWN', `There is no rollout ${name}.`)
}

function illegal(row: RolloutRow, verb: string): MusterError {
  const legal = legalCommands(row)
  const hint = legal.length > 0 ? `Possible now: ${legal.join(', ')}.` : 'Nothing is possible until it has ended.'
  return refuse('DEPLOY_STATE', `Rollout r${row.id} of ${row.service} is ${row.state}: ${verb} is not possible.`, {
    hint,
    details: { state: row.state, legal },
  })
}

const which = z.string().min(1)
const reason = z.string().max(1000).prefault('')

/** A command on one rollout in flight: refused unless it is legal in its state. */
function steer<Extra extends z.ZodRawShape>(def: {
  verb: string
  summary: string
  danger: 'low' | 'medium'
  extra: Extra
  entries: (
    db: ReadDb,
    row: RolloutRow,
    input: z.output<z.ZodObject<{ rollout: z.ZodString; reason: z.ZodPrefault<z.ZodString> } & Extra>>,
    now: number,
  ) => Proposal[] | MusterError
}) {
  const input = z.strictObject({ rollout: which, reason, ...def.extra })
  return defineCommand({
    name: `deploy.${def.verb}`,
    summary: def.summary,
    danger: def.danger,
    input,
    output: rolloutViewSchema,
    decide: (db, given, ctx) => {
      const row = findRollout(db, (given as { rollout: string }).rollout)
      if (isRefusal(row)) return row
      if (!legalCommands(row).includes(def.verb)) return illegal(row, def.verb)
      const entries = def.entries(db, row, given as never, ctx.now)
      if (isRefusal(entries)) return entries
      return { entries, reply: (after) => rolloutView(after, rolloutRow(after, row.id) ?? row, ctx.now) }
    },
  })
}

export const deployPause = steer({
  verb: 'pause',
  summary: 'Hold a rollout at its present share.',
  danger: 'low',
  extra: {},
  entries: (_db, row, input, now) => [
    rolloutHeld.of({
      rollout: row.id,
      cause: 'paused',
      text: input.reason || 'paused by a person',
      deadlineMs: now + profileOf(row).deadlines.pausedMs,
    }),
  ],
})

export const deployResume = steer({
  verb: 'resume',
  summary: 'Let a held rollout go on; the step is judged anew first.',
  danger: 'low',
  extra: {},
  entries: (_db, row, input) => [rolloutResumed.of({ rollout: row.id, text: input.reason || 'resumed by a person' })],
})

export const deployPromote = steer({
  verb: 'promote',
  summary: 'Skip the remaining wait of a step; never the breaker, the sample ratio or harm.',
  danger: 'medium',
  extra: { isFull: z.boolean().prefault(false) },
  entries: (_db, row, input) => {
    const upTo = input.isFull ? profileOf(row).steps.length : row.step + 1
    const promoted = rolloutPromoted.of({ rollout: row.id, upTo, reason: input.reason })
    return row.state === 'held' ? [promoted, rolloutResumed.of({ rollout: row.id, text: 'promoted' })] : [promoted]
  },
})

export const deployAbort = steer({
  verb: 'abort',
  summary: 'End a rollout in flight: back to the old release at once.',
  danger: 'medium',
  extra: {},
  entries: (db, row, input, now) => {
    const text = input.reason || 'aborted by a person'
    return row.state === 'queued' ? [rolloutExpired.of({ rollout: row.id, text })] : goHome(db, now, row, 'aborted', text)
  },
})

export const deployRetry = defineCommand({
  name: 'deploy.retry',
  summary: 'Try the same release again; refused when it is known to be bad.',
  danger: 'medium',
  input: z.strictObject({ rollout: which, reason }),
  output: rolloutViewSchema,
  decide: (db, input, ctx) => {
    const row = findRollout(db, input.rollout)
    if (isRefusal(row)) return row
    const flying = inFlightOf(db, row.service)[0]
    if (flying) return busy(flying)
    if (!legalCommands(row).includes('retry')) return illegal(row, 'retry')
    const place = placeOf(db, row.service, ctx)
    if (isRefusal(place)) return place
    const release = earlierRelease(db, row.service, row.release, place)
    if (isRefusal(release)) return release
    const base = baseOf(db, place)
    const wish = {
      kind: 'forward' as const,
      release: row.release,
      version: row.version,
      from: base.release,
      profile: profileOf(row),
      sticky: row.sticky,
      reason: input.reason || `retry of r${row.id}`,
    }
    return { entries: [...base.entries, request(place, wish)], reply: (after) => lastView(after, row.service, ctx.now) }
  },
})

export const deployRollback = defineCommand({
  name: 'deploy.rollback',
  summary: 'Return a service to its last good release, in flight or after success.',
  danger: 'medium',
  input: z.strictObject({ service: z.string().min(1), to: z.string().optional(), reason }),
  output: rolloutViewSchema,
  decide: (db, input, ctx) => {
    const flying = inFlightOf(db, input.service)[0]
    if (flying) return rollbackInFlight(db, flying, input, ctx.now)
    const place = placeOf(db, input.service, ctx)
    if (isRefusal(place)) return place
    const current = releaseOfVersion(db, place.job, place.version)
    const target = rollbackTarget(db, place, current, input.to)
    if (isRefusal(target)) return target
    const base = baseOf(db, place)
    const text = input.reason || 'rolled back by a person'
    return {
      entries: [
        ...base.entries,
        releaseMarkedBad.of({ release: base.release, service: input.service, reason: text }),
        request(place, {
          kind: 'rollback',
          release: target.id,
          version: target.version,
          from: base.release,
          profile: ROLLBACK_PROFILE,
          sticky: null,
          reason: text,
        }),
      ],
      reply: (after) => lastView(after, input.service, ctx.now),
    }
  },
})

function rollbackInFlight(db: ReadDb, row: RolloutRow, input: { to?: string | undefined; reason: string }, now: number) {
  if (input.to !== undefined && input.to !== row.from_release) return busy(row)
  if (!legalCommands(row).includes('rollback') && !legalCommands(row).includes('abort')) return illegal(row, 'rollback')
  const text = input.reason || 'rolled back by a person'
  const entries =
    row.state === 'queued'
      ? [rolloutExpired.of({ rollout: row.id, text })]
      : goHome(db, now, row, row.kind === 'rollback' ? 'aborted' : 'rollback', text)
  return { entries, reply: (after: ReadDb) => rolloutView(after, rolloutRow(after, row.id) ?? row, now) }
}

/** The named release, or the newest good one before the current. */
function rollbackTarget(db: ReadDb, place: Place, current: ReleaseRow | undefined, to: string | undefined): ReleaseRow | MusterError {
  if (to !== undefined) {
    const earlier = earlierRelease(db, place.service, to, place)
    if (isRefusal(earlier)) return earlier
  }
  const found = releasesOf(db, place.service).find((row) =>
    to === undefined ? row.state === 'good' && row.version !== place.version && row.n < (current?.n ?? Infinity) : row.id === to,
  )
  return found ?? refuse('DEPLOY_NO_TARGET', `${place.service} has no earlier good release.`)
}

const haltInput = z.strictObject({
  /** one service; none: all of them */
  service: z.string().min(1).nullable().prefault(null),
  reason: z.string().min(1).max(1000),
})

export const haltSchema = z.object({ scope: z.string(), reason: z.string(), author: z.string(), atMs: z.number() })

export function haltsOf(db: ReadDb): z.output<typeof haltSchema>[] {
  return db
    .all<HaltRow>('SELECT * FROM deploy_halt ORDER BY scope')
    .map((row) => ({ scope: row.scope, reason: row.reason, author: row.author, atMs: row.at }))
}

const haltOutput = z.object({ halts: z.array(haltSchema) })

export const deployHalt = defineCommand({
  name: 'deploy.halt',
  summary: 'Stop all rollouts of a service, or of all: nothing starts or grows; rollbacks still run.',
  danger: 'high',
  confirmName: (input) => input.service ?? 'all',
  input: haltInput,
  output: haltOutput,
  decide: (_db, input) => ({
    entries: [halted.of({ scope: input.service ?? HALT_ALL, reason: input.reason })],
    reply: (after) => ({ halts: haltsOf(after) }),
  }),
})

export const deployUnhalt = defineCommand({
  name: 'deploy.unhalt',
  summary: 'Let halted rollouts go on; each step is judged anew first.',
  danger: 'high',
  confirmName: (input) => input.service ?? 'all',
  input: haltInput,
  output: haltOutput,
  decide: (db, input) => {
    const scope = input.service ?? HALT_ALL
    if (!haltsOf(db).some((one) => one.scope === scope))
      return refuse('DEPLOY_STATE', `${input.service ?? 'Nothing'} is not halted${input.service ? '' : ' as a whole'}.`)
    return { entries: [unhalted.of({ scope, reason: input.reason })], reply: (after) => ({ halts: haltsOf(after) }) }
  },
})
