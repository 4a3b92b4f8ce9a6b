import { watchdog } from '../../../src/core/sev/controllers/watchdog.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { incidentAck, incidentList, incidentResolve, incidentShow, timeline } from '../../../src/core/sev/operations.ts'
import type { State } from './state.ts'
import { badRollout, deliverAll, MINUTE, rolledBack, sevState } from './support.ts'

let state: State
beforeEach(() => {
  state = sevState()
})
afterEach(() => state.close())

const incidents = () => state.ask(incidentList, { isAll: true }).incidents
const mark = (system: string, kind: string, target: string, service: string | null, text: string) => ({
  system,
  kind,
  target,
  service,
  text,
})
const alert = (to: string, sev = 2, service: string | null = 'web', group = 'service=web') =>
  state.foreign({
    type: 'scuba.AlertMoved',
    body: { rule: 'errors', group, service, from: 'inactive', to, sev, value: 7.3, reason: '' },
    notable: mark('scuba', 'alert', 'errors', service, `errors on ${service}: ${to}`),
  })
const taskFailed = () =>
  state.foreign({
    type: 'tw.TasksReported',
    body: {},
    notable: mark('tw', 'task-failed', 'web/api[0]', 'web', 'web/api[0] failed on n1: exit 1'),
  })

test('alerts of one service join its open incident, and a higher one raises it and pages again', () => {
  alert('firing', 3)
  state.settle()
  badRollout(state)
  state.settle()
  expect(incidents()).toMatchObject([{ level: 3, service: 'web', alertCount: 2, generation: 1 }])
  alert('firing', 1, 'web', 'service=web,region=eu')
  state.settle()
  expect(incidents()).toMatchObject([{ level: 1, alertCount: 3, generation: 2 }])
})

test('other services have incidents of their own', () => {
  alert('firing', 2, 'web')
  alert('firing', 2, 'api', 'service=api')
  state.settle()
  expect(incidents().map((row) => row.service)).toEqual(expect.arrayContaining(['api', 'web']))
})

test('an alert that clears ends a SEV3 by itself and drafts its postmortem, a SEV2 waits for a person', () => {
  alert('firing', 3)
  state.settle()
  deliverAll(state)
  state.advance(MINUTE)
  alert('inactive', 3)
  state.settle()
  expect(incidents()[0]).toMatchObject({ state: 'resolved', cause: 'the alert cleared' })
  expect(state.db.all('SELECT state FROM sev_postmortem')).toEqual([{ state: 'draft' }])
  alert('firing', 2)
  state.settle()
  alert('inactive', 2)
  state.settle()
  const open = state.ask(incidentList, {}).incidents
  expect(open).toMatchObject([{ state: 'open', level: 2, mitigatedAt: state.now }])
})

test('an alert after the end is a new incident that names the old one; one after mitigation opens it again', () => {
  alert('firing', 2)
  state.settle()
  const first = incidents()[0]?.number ?? 0
  state.run(incidentAck, {}, 'user:anna')
  alert('inactive', 2)
  state.settle()
  expect(state.ask(incidentShow, {}).incident.state).toBe('mitigated')
  alert('firing', 2)
  state.settle()
  expect(state.ask(incidentShow, { incident: first }).incident).toMatchObject({ state: 'open', mitigatedAt: null, paging: ['anna'] })
  state.run(incidentResolve, { cause: 'unknown' }, 'user:anna')
  alert('inactive', 2)
  alert('firing', 2)
  state.settle()
  expect(state.ask(incidentList, {}).incidents).toMatchObject([{ recurrenceOf: first }])
})

test('a rollout somebody aborted opens nothing, a rollback that is stuck is a SEV2', () => {
  state.foreign({
    type: 'deploy.RollBack',
    actor: 'user:anna',
    body: { rollout: 7, cause: 'aborted' },
    notable: mark('deploy', 'rollback', 'r7', 'web', 'v3 on web rolled back (aborted)'),
  })
  rolledBack(state)
  state.settle()
  expect(incidents()).toEqual([])
  badRollout(state)
  state.foreign({
    type: 'deploy.RollbackStuck',
    body: { rollout: 7 },
    notable: mark('deploy', 'rollback-stuck', 'r7', 'web', 'rollback of v3 on web is not acknowledged by every proxy yet'),
  })
  state.settle()
  expect(incidents()).toMatchObject([{ level: 2 }])
})

test('a lost node is an incident of the fleet that ends when all are back', () => {
  for (const node of ['n1', 'n2'])
    state.foreign({ type: 'tw.NodeLost', body: { node }, notable: mark('tw', 'node-lost', node, null, `node ${node} lost`) })
  state.settle()
  expect(incidents()).toMatchObject([{ service: null, alertCount: 2, firingCount: 2, title: 'node n1 lost' }])
  state.foreign({ type: 'tw.NodeReturned', body: { node: 'n1' }, notable: mark('tw', 'node', 'n1', null, 'node n1 is back') })
  state.settle()
  expect(incidents()[0]?.state).toBe('open')
  state.foreign({ type: 'tw.NodeReturned', body: { node: 'n2' }, notable: mark('tw', 'node', 'n2', null, 'node n2 is back') })
  state.settle()
  expect(incidents()[0]?.state).toBe('resolved')
})

test('one failed task is no incident, three in five minutes are a crash loop, and none while chaos kills them', () => {
  taskFailed()
  taskFailed()
  state.settle()
  expect(incidents()).toEqual([])
  state.foreign({ type: 'chaos.ChaosRunStarted', body: { run: 5 }, notable: mark('chaos', 'chaos', '5', 'web', 'chaos run 5 started') })
  for (let i = 0; i < 5; i += 1) taskFailed()
  state.settle()
  expect(incidents()).toEqual([])
  state.foreign({ type: 'chaos.ChaosRunClosed', body: { run: 5 }, notable: mark('chaos', 'chaos', '5', 'web', 'chaos run 5 closed') })
  taskFailed()
  state.settle()
  expect(incidents()).toMatchObject([{ level: 3, service: 'web', title: 'tasks of web crash again and again' }])
})

test('an incident during a chaos run says so in its timeline and in its pages', () => {
  state.foreign({ type: 'chaos.ChaosRunStarted', body: { run: 5 }, notable: mark('chaos', 'chaos', '5', 'web', 'chaos run 5 started') })
  alert('firing')
  const told = deliverAll(state)
  expect(told[0]?.line).toContain('during chaos run 5')
  const { rows } = state.ask(timeline, {})
  expect(rows.map((row) => row.text)).toEqual(expect.arrayContaining(['chaos run 5 started', 'during chaos run 5']))
})

test('what other services do stays out of a timeline, what the fleet does is in it', () => {
  alert('firing')
  state.settle()
  state.foreign({
    type: 'deploy.RolloutStepEntered',
    body: {},
    notable: mark('deploy', 'deploy-step', 'r9', 'api', 'v2 goes to 1 % of api'),
  })
  state.foreign({ type: 'tw.DrainStarted', body: {}, notable: mark('tw', 'drain', 'n1', null, 'drain of n1 started') })
  const texts = state.ask(timeline, {}).rows.map((row) => row.text)
  expect(texts).toContain('drain of n1 started')
  expect(texts).not.toContain('v2 goes to 1 % of api')
})

test('a changed row breaks the hash chain where it was changed', () => {
  alert('firing')
  state.settle()
  expect(state.ask(timeline, { isVerified: true }).brokenRow).toBe(0)
  state.db.run(`UPDATE sev_timeline SET text = 'nothing happened' WHERE n = 2`)
  expect(state.ask(timeline, { isVerified: true }).brokenRow).toBe(2)
})

test('no data is a ticket that pages nobody, and firing after it pages', () => {
  alert('no_data')
  state.settle()
  expect(incidents()).toMatchObject([{ level: 4, paging: [] }])
  alert('firing')
  state.settle()
  expect(incidents()).toMatchObject([{ level: 2, paging: ['anna'] }])
})

test('an entry without the fields that are expected still becomes an incident', () => {
  state.foreign({ type: 'scuba.AlertMoved', body: { to: 'firing' } })
  state.foreign({ type: 'chaos.FaultLeaked', body: null })
  state.settle()
  expect(incidents().map((row) => row.level)).toEqual([2, 2])
})

test('a burning objective opens one incident of its service; a worse tier raises its level, a spent budget is a ticket beside it', () => {
  const state = sevState()
  const moved = (kind: string, sev: number): void =>
    void state.foreign({
      type: 'scuba.SloMoved',
      body: { service: 'web', objective: 'availability', kind, sev, title: 'web availability 99.95 %' },
    })
  moved('burn_started', 3)
  state.settle()
  moved('burn_raised', 2)
  state.settle()
  moved('budget_spent', 4)
  state.settle()
  const { incidents } = state.ask(incidentList, {})
  expect(incidents).toMatchObject([{ level: 2, service: 'web', title: 'web availability 99.95 %: error budget burns' }])
  const alerts = (): unknown[] => state.db.all('SELECT dedup_key, state FROM sev_alert ORDER BY dedup_key')
  expect(alerts()).toEqual([
    { dedup_key: 'scuba/slo-budget/web/availability', state: 'firing' },
    { dedup_key: 'scuba/slo/web/availability', state: 'firing' },
  ])
  moved('burn_ended', 2)
  moved('budget_restored', 4)
  state.settle()
  expect(alerts()).toMatchObject([{ state: 'resolved' }, { state: 'resolved' }])
})

test("scuba's silence of more than 90 s pages once, and is over with its next beat", () => {
  const state = sevState()
  const hear = (scubaSilentMs: number): void => {
    state.append(watchdog.decide(state.db, state.now, { scubaSilentMs }).entries, 'controller:sev.watchdog')
    state.settle()
  }
  const firing = (): unknown[] => state.db.all(`SELECT level FROM sev_alert WHERE state = 'firing'`)
  hear(89_000)
  expect(firing()).toEqual([])
  hear(91_000)
  hear(96_000)
  expect(firing()).toEqual([{ level: 2 }])
  hear(1000)
  expect(firing()).toEqual([])
})
