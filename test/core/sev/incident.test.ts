import { afterEach, expect, test } from 'vitest'
import { renderIncident } from '../../../src/cli/render/sev.ts'
import { HoldReleased, HoldSet } from '../../../src/core/scuba/entries/retention.ts'
import {
  incidentAck,
  incidentDeclare,
  incidentList,
  incidentResolve,
  incidentShow,
  postmortemShow,
  timeline,
} from '../../../src/core/sev/operations.ts'
import type { State } from './state.ts'
import { badRollout, deliverAll, rolledBack, sevState } from './support.ts'

const states: State[] = []
const fresh = (): State => {
  const state = sevState()
  states.push(state)
  return state
}
afterEach(() => states.splice(0).forEach((state) => state.close()))

test('a rolled back rollout becomes one incident, pages, is acknowledged, resolved and written up', () => {
  const state = fresh()
  badRollout(state)
  const told = deliverAll(state)
  expect(told).toEqual([
    { person: 'ben', channel: 'file', kind: 'page', line: expect.stringMatching(/^SEV3 #\d+ v3 on web: fail \(errors\) · sev ack \d+$/) },
  ])

  rolledBack(state)
  state.settle()
  const { incidents } = state.ask(incidentList, {})
  expect(incidents).toHaveLength(1)
  expect(incidents[0]).toMatchObject({ service: 'web', level: 3, state: 'open', alertCount: 1, paging: ['ben'], mitigatedAt: state.now })

  state.run(incidentAck, {}, 'user:ben')
  expect(state.ask(incidentShow, {}).incident.state).toBe('mitigated')
  state.run(incidentResolve, { cause: 'v3 fails 5 % of requests' }, 'user:ben')

  const rows = state.ask(timeline, { isVerified: true })
  expect(rows.brokenRow).toBe(0)
  expect(rows.rows.map((row) => row.kind)).toEqual([
    'deploy-step',
    'verdict',
    'rollback',
    'opened',
    'escalation',
    'alert',
    'page',
    'rolled-back',
    'alert',
    'mitigated',
    'acked',
    'resolved',
    'postmortem',
  ])
  const { markdown } = state.ask(postmortemShow, {})
  for (const section of ['Summary', 'Impact', 'Timeline', 'Detection', 'Escalation', 'Remediation', 'Prevention'])
    expect(markdown).toContain(`## ${section}`)
  expect(markdown).toContain('v3 goes to 5 % of web')
  expect(markdown).toContain('evidence.canary.bad = 31')
  expect(markdown).toContain('cause as stated: v3 fails 5 % of requests'.replace('cause', 'Cause'))
  expect(markdown).not.toContain('{{')
})

test('the state built again from the log is the same, row for row', () => {
  const state = fresh()
  badRollout(state)
  deliverAll(state)
  rolledBack(state)
  state.settle()
  state.run(incidentResolve, {}, 'user:ben')
  const again = state.rebuilt()
  states.push(again)
  expect(again.digest()).toBe(state.digest())
})

test('what a declaration asks for is the same at any moment, so that its plan can be applied', () => {
  const state = fresh()
  const asked = (now: number, position: number): unknown => {
    const decision = incidentDeclare.decide(state.db, incidentDeclare.input.parse({ title: 'feed is old' }), {
      now,
      position,
      actor: 'user:ben',
    } as never)
    return 'entries' in decision ? decision.entries : decision
  }
  expect(asked(state.now, 40)).toEqual(asked(state.now + 5000, 47))
})

test('an incident shows the rows that are held for it, and how each is released', () => {
  const state = fresh()
  badRollout(state)
  deliverAll(state)
  const { number } = state.ask(incidentShow, {}).incident
  const times = { fromMs: Date.UTC(2026, 10, 1, 12), toMs: Date.UTC(2026, 10, 1, 13) }
  state.append([
    HoldSet.of({ table: 'requests', ...times, sev: number, reason: 'v3 on web' }),
    HoldSet.of({ table: null, ...times, sev: number + 1, reason: 'of another' }),
    HoldSet.of({ table: null, ...times, sev: null, reason: 'of none' }),
  ])
  const shown = state.ask(incidentShow, { incident: number })
  expect(shown.holds).toMatchObject([{ table: 'requests', ...times, reason: 'v3 on web' }])
  const text = renderIncident(shown, { width: null, hasColor: false, isTty: false, isWide: false })
  const id = shown.holds[0]?.id
  expect(text).toContain(`ROWS HELD\n  requests from 2026-11-01T12:00:00Z to 2026-11-01T13:00:00Z: v3 on web (user:`)
  expect(text).toContain(`release: muster scuba hold rm ${id} --yes`)
  state.append([HoldReleased.of({ id: id ?? 0 })])
  expect(state.ask(incidentShow, { incident: number }).holds).toEqual([])
})
