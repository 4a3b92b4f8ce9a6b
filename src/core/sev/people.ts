import type { ReadDb } from '../contracts/storage.ts'
import { parseDuration } from '../kernel/units.ts'
import { levelRule, type Level, type LadderStep } from './levels.ts'
import { onCallAt, type OnCall, type Override, type Zones } from './schedule/resolve.ts'
import type { Contact, PersonRow, Policy, Schedule, Team } from './schema.ts'

/** From service and level to steps, and from the words of a step to persons, with the reason why each. */

export interface Target {
  person: string
  /** the way there, outermost first: team web → primary → schedule web-primary → rotation main, turn 4 */
  via: string
}

interface Rung {
  name: string
  targets: readonly string[]
  /** after the rung before it */
  waitMs: number
}

export interface Ladder {
  policy: string
  rungs: readonly Rung[]
  /** beyond the rungs, again and again at this distance; null: no more */
  lastResort: (Rung & { everyMs: number }) | null
}

interface Named {
  name: string
  spec: string
}
interface Defaults {
  team?: string
  policy?: string
}

const parsed = (row: { spec: string } | undefined): unknown => (row === undefined ? null : JSON.parse(row.spec))

/** Settings made by the last applied file. */
export function defaultsOf(db: ReadDb): Defaults {
  const row = db.get<{ value: string }>("SELECT value FROM sev_setting WHERE name = 'defaults'")
  return row === undefined ? {} : (JSON.parse(row.value) as Defaults)
}

/** Whether a schedule file was ever applied; without one, whoever started the fleet is on call. */
export function isScheduleApplied(db: ReadDb): boolean {
  return db.get("SELECT 1 AS one FROM sev_setting WHERE name = 'applied'") !== undefined
}

/** Team and policy of a service: its own, else the defaults, else the only (or built-in) team. */
export function ownerOf(db: ReadDb, service: string | null): { team: string | null; policy: string | null } {
  const own = service === null ? null : (parsed(db.get<Named>('SELECT * FROM sev_service WHERE name = ?', service)) as Defaults | null)
  const defaults = defaultsOf(db)
  const teams = db.all<{ name: string }>('SELECT name FROM sev_team ORDER BY is_builtin, name')
  return {
    team: own?.team ?? defaults.team ?? teams[0]?.name ?? null,
    policy: own?.policy ?? defaults.policy ?? null,
  }
}

/**
 * The rungs for an incident, rounds unrolled. A policy's steps replace those of SEV2 and SEV3; the ladders of SEV1
 * (many at once, without end) and SEV4 (nobody) change only where the policy names the level.
 */
export function ladderOf(db: ReadDb, service: string | null, level: Level): Ladder {
  const rule = levelRule(level)
  const { policy: name } = ownerOf(db, service)
  const policy = name === null ? null : (parsed(db.get<Named>('SELECT * FROM sev_policy WHERE name = ?', name)) as Policy | null)
  const special = policy?.levels?.[`${level}`]
  const own = special?.steps ?? (level === 2 || level === 3 ? policy?.steps : undefined)
  const steps: readonly LadderStep[] =
    own?.map((step) => ({ targets: step.targets, afterMs: parseDuration(step.after) ?? 0 })) ?? rule.steps
  const repeat = special?.repeat ?? policy?.repeat ?? rule.repeat
  const last = steps.at(-1)
  const lastGapMs = last === undefined ? 0 : last.afterMs - (steps.at(-2)?.afterMs ?? 0)
  const roundMs = own === undefined ? rule.roundMs : Math.max(lastGapMs, 60_000)
  const policyName = own === undefined || name === null ? `SEV${level}` : name
  const rungs: Rung[] = []
  for (let round = 0; steps.length > 0 && round <= repeat; round += 1) {
    for (const [i, step] of steps.entries()) {
      const before = steps[i - 1]
      const waitMs = before ? Math.max(0, step.afterMs - before.afterMs) : round === 0 ? step.afterMs : roundMs
      rungs.push({ name: `step ${i + 1}${round > 0 ? `, round ${round + 1}` : ''}`, targets: step.targets, waitMs })
    }
  }
  if (rungs.length === 0) return { policy: policyName, rungs, lastResort: null }
  rungs.push({ name: 'last resort', targets: special?.lastResort ?? policy?.lastResort ?? ['everyone'], waitMs: roundMs })
  const everyMs = rule.lastResortEveryMs
  const final = rungs.at(-1)
  return { policy: policyName, rungs, lastResort: everyMs === null || !final ? null : { ...final, everyMs } }
}

/** The rung at an index and how long it waits after the one before; null: the ladder is spent. */
export function rungAt(ladder: Ladder, index: number): Rung | null {
  const rung = ladder.rungs[index]
  if (rung) return rung
  return ladder.lastResort && { ...ladder.lastResort, waitMs: ladder.lastResort.everyMs }
}

export function zonesFrom(db: ReadDb): Zones {
  const rows = db.all<{ tz: string; version: string; transitions: string }>('SELECT * FROM sev_zone')
  return new Map(rows.map((row) => [row.tz, { tz: row.tz, version: row.version, transitions: JSON.parse(row.transitions) }]))
}

export function scheduleOf(db: ReadDb, name: string): Schedule | null {
  return parsed(db.get<Named>('SELECT * FROM sev_schedule WHERE name = ?', name)) as Schedule | null
}

export function overridesOf(db: ReadDb, schedule: string): Override[] {
  return db
    .all<{ id: number; kind: Override['kind']; user: string; by_user: string | null; from_at: number; to_at: number }>(
      'SELECT * FROM sev_override WHERE schedule = ? ORDER BY id',
      schedule,
    )
    .map((row) => ({ id: row.id, kind: row.kind, user: row.user, byUser: row.by_user, fromMs: row.from_at, toMs: row.to_at }))
}

export function personOf(db: ReadDb, name: string): (Omit<PersonRow, 'contacts'> & { contacts: Contact[] }) | null {
  const row = db.get<PersonRow>('SELECT * FROM sev_person WHERE name = ?', name)
  return row === undefined ? null : { ...row, contacts: JSON.parse(row.contacts) as Contact[] }
}

/** Who is on call in a schedule now. */
export function onCallOf(db: ReadDb, schedule: string, atMs: number): OnCall[] {
  const spec = scheduleOf(db, schedule)
  return spec === null ? [] : onCallAt(spec, overridesOf(db, schedule), zonesFrom(db), atMs)
}

const ROLES = ['primary', 'secondary', 'lead', 'ic'] as const

/**
 * The persons a word of a step means at an instant: a role of the team, `person:NAME`, `schedule:NAME`, `team:NAME`
 * (its primary), `everyone`, or a bare name of a person, schedule or team. Empty when it means nobody now.
 */
export function targetsOf(db: ReadDb, word: string, team: string | null, atMs: number, depth = 0): Target[] {
  if (depth > 4) return []
  if (word === 'everyone') {
    return db.all<{ name: string }>('SELECT name FROM sev_person ORDER BY name').map(({ name }) => ({ person: name, via: 'everyone' }))
  }
  const role = ROLES.find((candidate) => candidate === word)
  if (role) {
    const holder = team === null ? undefined : (parsed(db.get<Named>('SELECT * FROM sev_team WHERE name = ?', team)) as Team | null)?.[role]
    if (holder === undefined) return []
    return targetsOf(db, holder, team, atMs, depth + 1).map((target) => ({ ...target, via: `team ${team} → ${role} → ${target.via}` }))
  }
  const [prefix, rest] = word.includes(':') ? [word.slice(0, word.indexOf(':')), word.slice(word.indexOf(':') + 1)] : [null, word]
  if ((prefix === null || prefix === 'person') && personOf(db, rest)) return [{ person: rest, via: `person ${rest}` }]
  if ((prefix === null || prefix === 'schedule') && scheduleOf(db, rest)) {
    return onCallOf(db, rest, atMs).map(({ user, via }) => ({ person: user, via: `schedule ${rest} → ${via}` }))
  }
  const isTeam = db.get('SELECT 1 AS one FROM sev_team WHERE name = ?', rest) !== undefined
  return (prefix === null || prefix === 'team') && isTeam ? targetsOf(db, 'primary', rest, atMs, depth + 1) : []
}

/** All persons of several words, each once, first reason kept. */
export function peopleOf(db: ReadDb, words: readonly string[], service: string | null, atMs: number): Target[] {
  const { team } = ownerOf(db, service)
  const found = new Map<string, Target>()
  for (const target of words.flatMap((word) => targetsOf(db, word, team, atMs)))
    if (!found.has(target.person)) found.set(target.person, target)
  return [...found.values()]
}
