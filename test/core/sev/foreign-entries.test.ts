import { expect, test } from 'vitest'
import { chaosRunClosed, chaosRunProposed, chaosRunStarted, faultLeaked } from '../../../src/core/chaos/machine.ts'
import { rollBack, rolledBack, rolloutRequested, stepVerdict } from '../../../src/core/deploy/machine.ts'
import { PROFILES } from '../../../src/core/deploy/profile.ts'
import { LeafDiskMoved } from '../../../src/core/scuba/entries/leaves.ts'
import { AlertMoved } from '../../../src/core/scuba/machine.ts'
import { incidentList, postmortemDraft, timeline } from '../../../src/core/sev/operations.ts'
import { sevSystem } from '../../../src/core/sev/system.ts'
import { controlSystems } from '../../../src/core/systems.ts'
import { nodeLost } from '../../../src/core/tw/entries/nodes.ts'
import { newState } from '../../support/state.ts'

/** sev recognises other systems' entries by type and field names; here they are those systems' own. */

const fleet = () => {
  const state = newState(controlSystems, 1_790_000_000_000)
  return { state, settle: () => state.settle(sevSystem.controllers), incidents: () => state.ask(incidentList, { isAll: true }).incidents }
}

test("deploy's own entries of a bad rollout open one SEV3 that is mitigated once the split is back", () => {
  const { state, settle, incidents } = fleet()
  const profile = PROFILES['standard']
  if (!profile) throw new Error('no standard profile')
  const [requested] = state.append([
    rolloutRequested.of({
      kind: 'forward',
      service: 'web',
      job: 'web',
      group: 'api',
      release: 'v3',
      version: 3,
      fromRelease: 'v2',
      fromVersion: 2,
      tasks: 8,
      profile,
      sticky: null,
      reason: '',
    }),
  ])
  const rollout = requested?.position ?? 0
  state.append(
    [stepVerdict.of({ rollout, step: 0, verdict: 'fail', reason: '5.1 % against 0.0 %', evidence: null })],
    'controller:deploy.rollouts',
  )
  state.append(
    [rollBack.of({ rollout, cause: 'errors', text: '5.1 % against 0.0 %', epoch: 2, deadlineMs: state.now() + 10_000 })],
    'controller:deploy.rollouts',
  )
  settle()
  expect(incidents()).toMatchObject([{ service: 'web', level: 3, source: 'deploy', state: 'open', mitigatedAt: null }])
  state.append([rolledBack.of({ rollout })], 'controller:deploy.rollouts')
  settle()
  expect(incidents()).toMatchObject([{ mitigatedAt: state.now() }])
  const { markdown } = state.run(postmortemDraft, {})
  expect(markdown).toContain('rollout of web from v2 to v3 requested')
  expect(markdown).toContain('reason = 5.1 % against 0.0 %')
})

test("tw's lost node, scuba's alert and chaos's leaked fault are recognised, and a run is marked", () => {
  const { state, settle, incidents } = fleet()
  state.append([chaosRunProposed.of({ run: 'c1', title: 'kill tasks', digest: '', experiment: {}, plan: {}, service: 'web', reason: '' })])
  state.append([chaosRunStarted.of({ run: 'c1', plan: {}, service: 'web' })])
  state.append([
    AlertMoved.of({
      rule: 'errors',
      group: 'service=web',
      from: 'inactive',
      to: 'firing',
      value: 7.3,
      sev: 2,
      service: 'web',
      title: 'errors on web',
      reason: '> 1 %',
    }),
  ])
  settle()
  expect(incidents()).toMatchObject([{ service: 'web', level: 2, title: 'errors on web', duringRun: 'c1' }])
  expect(state.ask(timeline, {}).rows.map((row) => row.text)).toContain('during chaos run c1')
  state.append([faultLeaked.of({ run: 'c1', fault: 'c1/1', message: 'SIGCONT failed' })])
  state.append([chaosRunClosed.of({ run: 'c1', service: 'web', verdict: 'deviated', reason: '', summary: {} })])
  state.append([nodeLost.of({ node: 'n1', silentMs: 10_000 })])
  settle()
  expect(state.db.all('SELECT service, title, during_run FROM sev_incident WHERE service IS NULL')).toEqual([
    { service: null, title: 'node n1 lost', during_run: null },
  ])
  expect(state.db.get(`SELECT COUNT(*) AS n FROM sev_alert WHERE source = 'chaos'`)).toEqual({ n: 1 })
})

test("a leaf's disk that fills up is one incident, which pages when rows are refused and ends when there is room", () => {
  const { state, settle, incidents } = fleet()
  const move = (level: 'warn' | 'evict' | 'full' | 'ok'): void => {
    state.append([LeafDiskMoved.of({ leaf: 'leaf-1', level })])
    settle()
  }
  move('warn')
  expect(incidents()).toEqual([])
  move('evict')
  expect(incidents()).toMatchObject([{ level: 3, source: 'scuba', title: expect.stringContaining('90 % full') as string }])
  move('full')
  expect(incidents()).toMatchObject([{ level: 2 }])
  move('warn')
  expect(incidents()).toMatchObject([{ mitigatedAt: state.now() }])
})
