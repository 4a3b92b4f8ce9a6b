import { expect, test } from 'vitest'
import { RESTART_AGENT, upgrader } from '../../../../src/core/tw/controllers/upgrader.ts'
import { agentsUpgraded } from '../../../../src/core/tw/entries/upgrades.ts'
import { agentUpgrade, agentUpgradeShow, jobRun } from '../../../../src/core/tw/operations.ts'
import { BACK_MS, judgeAgent, type AgentSeen } from '../../../../src/core/tw/upgrades/judge.ts'
import { waveSizes } from '../../../../src/core/tw/upgrades/waves.ts'
import { newSimulatedFleet, WEB, type SimulatedFleet } from '../../../support/tw-fleet.ts'

test('waves add up to all nodes, and each has one at least', () => {
  expect(waveSizes('1,10%,100%', 50)).toEqual([1, 4, 45])
  expect(waveSizes('1,10%,100%', 3)).toEqual([1, 1, 1])
  expect(waveSizes('1,1%,10%', 1000)).toEqual([1, 9, 990])
  expect(waveSizes('5,100%', 3)).toEqual([3])
  for (const wrong of ['', '0,100%', 'all', '1,,2', '-1']) expect(waveSizes(wrong, 9)).toBeNull()
})

const seen = (given: Partial<AgentSeen>): AgentSeen => ({
  node: 'n1',
  pidBefore: 1,
  pidNow: 2,
  version: '2',
  folder: '/new',
  isLost: false,
  tasks: [],
  ...given,
})
const task = (now: number | null, hasEnded = false) => ({ task: 'web/api[0]', before: 7, now, hasEnded })

test('an agent is back when it is another process, of the right version, with the same processes of its tasks', () => {
  expect(judgeAgent(seen({ tasks: [task(7), task(null, true)] }), { version: '2', folder: '/new' }, 100)).toEqual({ kind: 'back' })
  expect(judgeAgent(seen({ pidNow: 1 }), { version: null, folder: null }, BACK_MS - 1)).toEqual({ kind: 'waits' })
  expect(judgeAgent(seen({ pidNow: 1 }), { version: null, folder: null }, BACK_MS).kind).toBe('failed')
  expect(judgeAgent(seen({ isLost: true }), { version: null, folder: null }, 0).kind).toBe('failed')
  expect(judgeAgent(seen({ folder: '/old' }), { version: '2', folder: '/new' }, 0)).toMatchObject({
    why: expect.stringContaining('did not come up from /new'),
  })
  expect(judgeAgent(seen({}), { version: '3', folder: null }, 0)).toMatchObject({ why: expect.stringContaining('of version 2, not 3') })
})

test('a task that is another process now fails the wave at once; one that is not reported yet has until the end of the time', () => {
  expect(judgeAgent(seen({ tasks: [task(8)] }), { version: null, folder: null }, 100)).toMatchObject({
    kind: 'failed',
    why: expect.stringContaining('web/api[0]'),
  })
  expect(judgeAgent(seen({ tasks: [task(null)] }), { version: null, folder: null }, 100)).toEqual({ kind: 'waits' })
  expect(judgeAgent(seen({ tasks: [task(null)] }), { version: null, folder: null }, BACK_MS).kind).toBe('failed')
})

/** Carries out what the controller asks for: agents come back with another pid, or do not. */
function restartAgents(fleet: SimulatedFleet, comesBack: (node: string) => boolean): string[] {
  const told: string[] = []
  for (const { kind, body } of upgrader.effects?.(fleet.state.db, fleet.state.now(), {}) ?? []) {
    const { upgrade, wave, node, isBack } = body as { upgrade: number; wave: number; node: string; isBack: boolean }
    expect(kind).toBe(RESTART_AGENT)
    told.push(`${node}${isBack ? ' back' : ''}`)
    fleet.state.append([agentsUpgraded.of({ upgrade, wave, nodes: [node], state: isBack ? 'returned' : 'told' })])
    const agent = fleet.nodes.get(node)
    if (agent !== undefined && comesBack(node)) agent.identity = { ...agent.identity, pid: agent.identity.pid + 1000 }
  }
  return told
}

test('one wave after the other is told, each once the one before is back', () => {
  const fleet = newSimulatedFleet({ nodes: 4 })
  fleet.state.run(jobRun, { spec: WEB })
  fleet.pass(5000)
  fleet.state.run(agentUpgrade, { waves: '1,100%' })
  const told: string[][] = []
  fleet.pass(10_000, () => {
    const now = restartAgents(fleet, () => true)
    if (now.length > 0) told.push(now)
  })
  expect(told).toEqual([['n1'], ['n2', 'n3', 'n4']])
  expect(fleet.state.ask(agentUpgradeShow, {})).toMatchObject({ state: 'done', waves: [{ done: 1 }, { done: 3 }] })
  expect(fleet.state.replay().digest()).toBe(fleet.state.digest())
})

test('the first wave that is not back in time is the last, and goes back', () => {
  const fleet = newSimulatedFleet({ nodes: 3 })
  fleet.pass(1000)
  fleet.state.run(agentUpgrade, { waves: '1,100%' })
  const told: string[] = []
  fleet.pass(BACK_MS + 5000, () => told.push(...restartAgents(fleet, () => false)))
  expect(told).toEqual(['n1', 'n1 back'])
  expect(fleet.state.ask(agentUpgradeShow, {})).toMatchObject({
    state: 'stopped',
    why: 'n1 is not back after 30 s',
    waves: [{ failed: 1 }, { waiting: 2 }],
  })
})

test('a second upgrade waits for the end of the first', () => {
  const fleet = newSimulatedFleet({ nodes: 2 })
  fleet.pass(1000)
  fleet.state.run(agentUpgrade, {})
  expect(() => fleet.state.run(agentUpgrade, {})).toThrow(expect.objectContaining({ code: 'TW_UPGRADE_RUNS' }))
})
