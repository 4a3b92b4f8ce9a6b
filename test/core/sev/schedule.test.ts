import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { onCallAt, spansBetween, type Override, type Zones } from '../../../src/core/sev/schedule/resolve.ts'
import { instantOf, wallOf } from '../../../src/core/kernel/zone.ts'
import { civilOf, daysOf } from '../../../src/core/kernel/civil.ts'
import { parseTime } from '../../../src/core/sev/schedule/calendar.ts'
import { contactSet, incidentDeclare, oncall, overrideSet, scheduleSet, scheduleShow } from '../../../src/core/sev/operations.ts'
import { ScheduleSchema, type Schedule } from '../../../src/core/sev/schema.ts'
import { zoneTable } from '../../../src/server/zones.ts'
import { createState, type State } from './state.ts'
import { deliverAll, file, MONDAY, sevState } from './support.ts'

const zones: Zones = new Map(
  ['UTC', 'Europe/London', 'America/Santiago', 'Asia/Beirut'].map((tz) => [tz, zoneTable(tz, Date.UTC(2015, 0, 1), Date.UTC(2030, 0, 1))]),
)
const schedule = (spec: unknown): Schedule => ScheduleSchema.parse(spec)
const who = (spec: Schedule, at: string, overrides: Override[] = []): string[] =>
  onCallAt(spec, overrides, zones, Date.parse(at)).map((it) => it.user)

const states: State[] = []
afterEach(() => states.splice(0).forEach((state) => state.close()))
const keep = (state: State): State => {
  states.push(state)
  return state
}

test('a night rule belongs to the day it starts on', () => {
  const spec = schedule({ timeZone: 'UTC', rules: [{ days: ['fri'], from: '22:00', to: '06:00', user: 'anna' }] })
  expect(who(spec, '2026-11-06T23:00Z')).toEqual(['anna'])
  expect(who(spec, '2026-11-07T05:59Z')).toEqual(['anna'])
  expect(who(spec, '2026-11-07T06:00Z')).toEqual([])
  expect(who(spec, '2026-11-06T05:00Z')).toEqual([])
})

test('equal from and to on every day is always, on some days it is one window from the first to the first not listed', () => {
  const always = schedule({ timeZone: 'Europe/London', rules: [{ user: 'anna' }] })
  for (const at of ['2026-03-29T00:59Z', '2026-03-29T01:30Z', '2026-10-25T00:30Z', '2026-10-25T01:30Z'])
    expect(who(always, at)).toEqual(['anna'])
  const weekend = schedule({ timeZone: 'UTC', rules: [{ days: ['sat', 'sun'], from: '09:00', to: '09:00', user: 'anna' }] })
  const spans = spansBetween(weekend, [], zones, Date.parse('2026-11-06T00:00Z'), Date.parse('2026-11-12T00:00Z'))
  expect(spans.map((span) => [new Date(span.fromMs).toISOString(), new Date(span.toMs).toISOString()])).toEqual([
    ['2026-11-07T09:00:00.000Z', '2026-11-09T09:00:00.000Z'],
  ])
})

test('a window opens at the first and closes at the last occurrence of a repeated clock time, and one inside a gap covers nothing', () => {
  const repeated = schedule({ timeZone: 'Europe/London', rules: [{ days: ['sun'], from: '01:15', to: '01:45', user: 'anna' }] })
  // 2026-10-25 01:00–02:00 happens twice in London: 00:15Z is the first 01:15, 01:45Z the second 01:45.
  expect(who(repeated, '2026-10-25T00:15Z')).toEqual(['anna'])
  expect(who(repeated, '2026-10-25T01:44Z')).toEqual(['anna'])
  expect(who(repeated, '2026-10-25T01:45Z')).toEqual([])
  for (const at of ['2026-03-29T00:59Z', '2026-03-29T01:00Z', '2026-03-29T01:20Z']) expect(who(repeated, at)).toEqual([])
})

test('a day without midnight starts at its first instant', () => {
  const spec = schedule({ timeZone: 'Asia/Beirut', rules: [{ days: ['sun'], from: '00:00', to: '12:00', user: 'anna' }] })
  expect(who(spec, '2024-03-30T21:59Z')).toEqual([])
  expect(who(spec, '2024-03-30T22:00Z')).toEqual(['anna'])
})

test('overrides remove, replace and add, in this order', () => {
  const spec = schedule({ timeZone: 'UTC', rules: [{ user: 'anna' }, { user: 'ben' }] })
  const over = (kind: Override['kind'], user: string, byUser: string | null = null): Override => ({
    id: 1,
    kind,
    user,
    byUser,
    fromMs: Date.parse('2026-11-02T10:00Z'),
    toMs: Date.parse('2026-11-02T11:00Z'),
  })
  const at = '2026-11-02T10:30Z'
  expect(who(spec, at, [over('remove', 'anna')])).toEqual(['ben'])
  expect(who(spec, at, [over('replace', 'anna', 'mei')])).toEqual(['ben', 'mei'])
  expect(who(spec, at, [over('add', 'mei')])).toEqual(['anna', 'ben', 'mei'])
  expect(who(spec, '2026-11-02T11:00Z', [over('remove', 'anna')])).toEqual(['anna', 'ben'])
})

test('spans and the answer at an instant are the same resolver', () => {
  const spec = schedule({
    timeZone: 'Europe/London',
    rotations: [{ name: 'main', type: 'daily', start: '2026-01-05T09:00', users: ['anna', 'ben', 'mei'] }],
    rules: [
      { days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '08:00', to: '19:00', rotation: 'main' },
      { days: ['sat', 'sun'], from: '10:00', to: '01:30', user: 'zoe' },
    ],
  })
  const from = Date.parse('2026-03-20T00:00Z')
  const to = Date.parse('2026-04-05T00:00Z')
  const spans = spansBetween(spec, [], zones, from, to)
  fc.assert(
    fc.property(fc.integer({ min: from, max: to - 1 }), (at) => {
      const bySpan = spans.filter((span) => span.fromMs <= at && at < span.toMs).map((span) => span.user)
      expect(bySpan.toSorted()).toEqual(onCallAt(spec, [], zones, at).map((it) => it.user))
    }),
    { numRuns: 300 },
  )
})

test('wall time and instant agree wherever the wall time exists', () => {
  for (const zone of zones.values()) {
    fc.assert(
      fc.property(fc.integer({ min: Date.UTC(2016, 0, 1), max: Date.UTC(2029, 0, 1) }), (at) => {
        const wall = wallOf(zone, at)
        expect(wallOf(zone, instantOf(zone, wall))).toBe(wall)
        expect(wallOf(zone, instantOf(zone, wall, 'last'))).toBe(wall)
      }),
    )
  }
})

test('civil dates are those of the calendar', () => {
  fc.assert(
    fc.property(fc.integer({ min: -200_000, max: 200_000 }), (days) => {
      const date = new Date(days * 86_400_000)
      expect(civilOf(days)).toEqual({ year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() })
      expect(daysOf(civilOf(days))).toBe(days)
    }),
  )
  expect(parseTime('2026-02-29')).toBeNull()
  expect(parseTime('2026-02-28T09:00+02:00')?.instantMs).toBe(Date.parse('2026-02-28T07:00Z'))
})

test('a file with a gap is refused until somebody says why, and then applied', () => {
  const state = keep(createState(MONDAY))
  const document = { ...file, schedules: { nights: { timeZone: 'UTC', rules: [{ from: '20:00', to: '08:00', user: 'anna' }] } } }
  const utc = zoneTable('UTC', Date.UTC(2020, 0, 1), Date.UTC(2030, 0, 1))
  const london = zoneTable('Europe/London', Date.UTC(2020, 0, 1), Date.UTC(2030, 0, 1))
  const refusal = state.refusal(scheduleSet, { document, zones: [utc, london] })
  expect(refusal).toMatchObject({ code: 'SEV_SCHEDULE', hint: expect.stringContaining('--allow-gap') })
  expect(refusal.message).toContain('nobody is on call from 2026-11-02T10:00:00Z to 2026-11-02T20:00:00Z')
  expect(state.entries).toEqual([])
  state.run(scheduleSet, { document, zones: [utc, london], allowGap: 'days are covered elsewhere' })
  expect(state.ask(scheduleShow, {}).schedules[0]?.gaps[0]).toEqual({ fromMs: MONDAY, toMs: Date.parse('2026-11-02T20:00Z') })
})

test('applying a file replaces the one before, whole', () => {
  const state = keep(sevState())
  state.run(scheduleSet, {
    document: { version: 1, people: { zoe: { contacts: [{ channel: 'terminal' }] } }, teams: { all: { primary: 'zoe' } } },
  })
  const view = state.ask(oncall, {})
  expect(view.teams.map((team) => team.team)).toEqual(['all'])
  expect(state.db.all('SELECT name FROM sev_person')).toEqual([{ name: 'zoe' }])
  state.run(incidentDeclare, { title: 'x', service: 'web' })
  expect(deliverAll(state).map((told) => told.person)).toEqual(['zoe'])
})

test('an override takes effect for pages, and a second one on the same person is refused', () => {
  const state = keep(
    sevState({ ...file, schedules: { web: { timeZone: 'UTC', rules: [{ user: 'anna' }] } }, teams: { web: { primary: 'web' } } }),
  )
  const set = { schedule: 'web', kind: 'replace' as const, user: 'anna', by: 'mei', from: MONDAY - 1, to: MONDAY + 3_600_000 }
  const { id } = state.run(overrideSet, set)
  expect(state.refusal(overrideSet, { ...set, by: 'ben' })).toMatchObject({
    code: 'SEV_CONFLICT',
    message: expect.stringContaining(`#${id}`),
  })
  expect(state.refusal(overrideSet, { ...set, by: 'nobody' }).code).toBe('SEV_PERSON_UNKNOWN')
  const [role] = state.ask(oncall, {}).teams[0]?.roles ?? []
  expect(role?.people).toMatchObject([
    { person: 'mei', via: expect.stringContaining('override'), untilMs: MONDAY + 3_600_000, then: 'anna' },
  ])
  state.run(incidentDeclare, { title: 'x', service: 'web' })
  expect(deliverAll(state).map((told) => told.person)).toEqual(['mei'])
})

test('somebody without a contact is said by `oncall` and passed over by a page', () => {
  const state = keep(sevState())
  state.run(contactSet, { person: 'anna', contacts: [] })
  expect(state.ask(oncall, {}).notes).toContain('anna has no contact: nothing reaches them')
  state.run(incidentDeclare, { title: 'x', service: 'web' })
  expect(deliverAll(state).map((told) => told.person)).toEqual(expect.arrayContaining(['ben']))
})
