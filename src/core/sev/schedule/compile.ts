import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { ContactSet, OncallApplied, PolicySet, ScheduleSet, ServiceSet, TeamSet } from '../entries/schedule.ts'
import type { Oncall, Schedule } from '../schema.ts'
import { parseTime, utcText } from './calendar.ts'
import { gapsIn, zonesOf, type Zones } from './resolve.ts'

/** Something wrong in an on-call file, where, and whether it stops the file from being applied. */
export interface Problem {
  /** way into the document: ['schedules', 'web', 'rotations', 0, 'users', 1] */
  path: (string | number)[]
  message: string
  /** a warning is applied all the same; a gap only with leave */
  kind: 'error' | 'gap' | 'warning'
}

/** Zone names the file needs. */
export function zoneNamesOf(file: Oncall): string[] {
  const people = Object.values(file.people).flatMap((person) => (person.timeZone === undefined ? [] : [person.timeZone]))
  return [...new Set([...Object.values(file.schedules).flatMap(zonesOf), ...people])].sort()
}

const LOOK_AHEAD_MS = 28 * 86_400_000
const ROLE_WORDS = ['primary', 'secondary', 'lead', 'ic', 'everyone']

function scheduleProblems(file: Oncall, name: string, spec: Schedule, zones: Zones, now: number): Problem[] {
  const problems: Problem[] = []
  const at = (message: string, ...path: (string | number)[]): void =>
    void problems.push({ path: ['schedules', name, ...path], message, kind: 'error' })
  const knows = (user: string, ...path: (string | number)[]): void => {
    const person = file.people[user]
    if (!person) at(`nobody is called ${user}`, ...path)
    else if (person.contacts.length === 0)
      problems.push({ path: ['people', user], message: `${user} is on call in ${name} and has no contact`, kind: 'gap' })
  }
  if (!zones.has(spec.timeZone)) at(`there is no time zone ${spec.timeZone}`, 'timeZone')
  for (const [i, rotation] of spec.rotations.entries()) {
    if (rotation.timeZone !== undefined && !zones.has(rotation.timeZone))
      at(`there is no time zone ${rotation.timeZone}`, 'rotations', i, 'timeZone')
    if (parseTime(rotation.start) === null) at(`${rotation.start} is no time such as 2026-11-02T09:00`, 'rotations', i, 'start')
    for (const [k, user] of rotation.users.entries()) knows(user, 'rotations', i, 'users', k)
    if (spec.rotations.findIndex((other) => other.name === rotation.name) !== i)
      at(`two rotations are called ${rotation.name}`, 'rotations', i, 'name')
  }
  for (const [i, rule] of spec.rules.entries()) {
    if (rule.user !== undefined) knows(rule.user, 'rules', i, 'user')
    if (rule.rotation !== undefined && !spec.rotations.some((rotation) => rotation.name === rule.rotation))
      at(`there is no rotation ${rule.rotation}`, 'rules', i, 'rotation')
  }
  if (spec.rotations.length === 0 && spec.rules.length === 0) at('neither a rule nor a rotation: nobody would ever be on call')
  if (problems.some((problem) => problem.kind === 'error')) return problems
  const [gap] = gapsIn(spec, [], zones, now, now + LOOK_AHEAD_MS)
  if (gap) {
    problems.push({
      path: ['schedules', name],
      message: `nobody is on call from ${utcText(gap.fromMs)} to ${utcText(gap.toMs)}`,
      kind: 'gap',
    })
  }
  const people = new Set([...spec.rotations.flatMap((rotation) => rotation.users), ...spec.rules.flatMap((rule) => rule.user ?? [])])
  if (people.size === 1)
    problems.push({
      path: ['schedules', name],
      message: `${[...people].join('')} is the only one in it: nobody takes over`,
      kind: 'warning',
    })
  return problems
}

/** Whether following teams from this one leads back to it. */
function isCycle(file: Oncall, team: string): boolean {
  const seen = new Set<string>()
  let current: string | undefined = team
  while (current !== undefined && file.teams[current]) {
    if (seen.has(current)) return true
    seen.add(current)
    const next: string | undefined = file.teams[current]?.primary
    current = next === undefined || file.people[next] || file.schedules[next] ? undefined : next.replace(/^team:/, '')
  }
  return false
}

/** Everything that is wrong with a file whose form is right; pure. */
export function checkOncall(file: Oncall, zones: Zones, now: number): Problem[] {
  const problems: Problem[] = []
  const error = (path: (string | number)[], message: string): void => void problems.push({ path, message, kind: 'error' })
  const isHolder = (word: string): boolean => {
    const name = word.includes(':') ? word.slice(word.indexOf(':') + 1) : word
    return Boolean(file.people[name] ?? file.schedules[name] ?? file.teams[name])
  }
  for (const [name, person] of Object.entries(file.people)) {
    if (person.timeZone !== undefined && !zones.has(person.timeZone))
      error(['people', name, 'timeZone'], `there is no time zone ${person.timeZone}`)
    for (const [i, contact] of person.contacts.entries()) {
      if (contact.channel !== 'terminal' && contact.address === '')
        error(['people', name, 'contacts', i], `a ${contact.channel} contact needs an address`)
      if (contact.channel === 'webhook' && !/^https?:\/\/\S+$/.test(contact.address))
        error(['people', name, 'contacts', i, 'address'], 'a webhook address is an http or https URL')
      if (contact.channel === 'smtp' && file.channels.smtp === undefined)
        error(['people', name, 'contacts', i], 'smtp needs channels.smtp with host and from')
      if (contact.channel === 'smtp' && !/^[^@\s]+@[^@\s]+$/.test(contact.address))
        error(['people', name, 'contacts', i, 'address'], `${contact.address} is no mail address`)
    }
  }
  for (const [name, team] of Object.entries(file.teams)) {
    for (const [role, holder] of Object.entries(team))
      if (holder !== undefined && !isHolder(holder)) error(['teams', name, role], `${holder} is neither a person nor a schedule`)
    if (team.primary === undefined && team.secondary === undefined && team.lead === undefined)
      error(['teams', name], 'a team needs a primary, a secondary or a lead')
    if (isCycle(file, name)) error(['teams', name, 'primary'], `team ${name} leads back to itself`)
  }
  for (const [name, service] of Object.entries(file.services)) {
    if (service.team !== undefined && !file.teams[service.team]) error(['services', name, 'team'], `there is no team ${service.team}`)
    if (service.policy !== undefined && !file.policies[service.policy])
      error(['services', name, 'policy'], `there is no policy ${service.policy}`)
  }
  for (const [name, policy] of Object.entries(file.policies)) {
    const ladders = [
      { path: ['policies', name] as (string | number)[], ladder: policy },
      ...Object.entries(policy.levels ?? {}).map(([level, ladder]) => ({
        path: ['policies', name, 'levels', level] as (string | number)[],
        ladder,
      })),
    ]
    for (const { path, ladder } of ladders) {
      for (const [i, step] of (ladder.steps ?? []).entries()) {
        for (const [k, word] of step.targets.entries())
          if (!ROLE_WORDS.includes(word) && !isHolder(word))
            error([...path, 'steps', i, 'targets', k], `${word} is neither a role, a person, a schedule nor a team`)
      }
      for (const [k, word] of (ladder.lastResort ?? []).entries())
        if (!ROLE_WORDS.includes(word) && !isHolder(word))
          error([...path, 'lastResort', k], `${word} is neither a role, a person, a schedule nor a team`)
    }
  }
  if (file.defaults.team !== undefined && !file.teams[file.defaults.team])
    error(['defaults', 'team'], `there is no team ${file.defaults.team}`)
  if (file.defaults.policy !== undefined && !file.policies[file.defaults.policy])
    error(['defaults', 'policy'], `there is no policy ${file.defaults.policy}`)
  if (Object.keys(file.people).length === 0) error(['people'], 'nobody is listed')
  if (Object.keys(file.teams).length === 0) error(['teams'], 'a team is needed: it says who is primary')
  for (const [name, spec] of Object.entries(file.schedules)) problems.push(...scheduleProblems(file, name, spec, zones, now))
  return problems
}

const namesIn = (db: ReadDb, table: string): string[] =>
  db.all<{ name: string }>(`SELECT name FROM ${table} ORDER BY name`).map(({ name }) => name)

/** The entries that put a checked file in force: it replaces what was there before. */
export function oncallEntries(db: ReadDb, file: Oncall, fileName: string): Proposal[] {
  const gone = (table: string, kept: object): string[] => namesIn(db, table).filter((name) => !(name in kept))
  return [
    ...gone('sev_person', file.people).map((person) => ContactSet.of({ person, spec: null })),
    ...Object.entries(file.people).map(([person, spec]) =>
      ContactSet.of({ person, spec: { title: spec.name ?? person, timeZone: spec.timeZone ?? 'UTC', contacts: spec.contacts } }),
    ),
    ...gone('sev_team', file.teams).map((name) => TeamSet.of({ name, spec: null })),
    ...Object.entries(file.teams).map(([name, spec]) => TeamSet.of({ name, spec })),
    ...gone('sev_service', file.services).map((name) => ServiceSet.of({ name, spec: null })),
    ...Object.entries(file.services).map(([name, spec]) => ServiceSet.of({ name, spec })),
    ...gone('sev_policy', file.policies).map((name) => PolicySet.of({ name, spec: null })),
    ...Object.entries(file.policies).map(([name, spec]) => PolicySet.of({ name, spec })),
    ...gone('sev_schedule', file.schedules).map((name) => ScheduleSet.of({ name, spec: null })),
    ...Object.entries(file.schedules).map(([name, spec]) => ScheduleSet.of({ name, spec })),
    OncallApplied.of({ file: fileName, defaults: file.defaults, channels: file.channels }),
  ]
}
