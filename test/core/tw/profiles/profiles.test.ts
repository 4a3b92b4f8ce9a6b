import { expect, test } from 'vitest'
import { renderNodes } from '../../../../src/cli/render/tw-nodes.ts'
import { renderProfile, renderProfiles } from '../../../../src/cli/render/tw-profiles.ts'
import { PLAIN } from '../../../../src/cli/terminal.ts'
import { PUT_PROFILE, profiler, type PutProfileBody } from '../../../../src/core/tw/controllers/profiler.ts'
import { profileFinished } from '../../../../src/core/tw/entries/profiles.ts'
import {
  jobRun,
  drainShow,
  maintenanceCreate,
  nodeCordon,
  nodeDrain,
  nodeList,
  nodeRetire,
  nodeUncordon,
  opList,
  profileApply,
  profileList,
  profileReport,
  profileSetCommand,
  profileShow,
} from '../../../../src/core/tw/operations.ts'
import { switchingNodes } from '../../../../src/core/tw/profiles/rows.ts'
import { hostProfileSchema } from '../../../../src/core/tw/profiles/schema.ts'
import { nodeRow } from '../../../../src/core/tw/rows.ts'
import { newSimulatedFleet, type FleetShape, type SimulatedFleet } from '../../../support/tw-fleet.ts'

const DOCUMENT = {
  profile: 'fast',
  sysctls: { 'vm.swappiness': 1, 'net.ipv4.tcp_rmem': '4096  131072\t6291456' },
  labels: { tier: 'fast' },
}

/** A fleet whose agents answer what `answers` says of their node. */
function fleetWith(shape: FleetShape, answers: (body: PutProfileBody) => { outcome: 'set' | 'compared' | 'failed'; why?: string }) {
  const fleet = newSimulatedFleet({ regions: 1, ...shape })
  fleet.pass(500)
  let most = 0
  const pass = (ms: number): void =>
    fleet.pass(ms, () => {
      most = Math.max(most, switchingNodes(fleet.state.db).length)
      for (const { kind, body } of profiler.effects?.(fleet.state.db, fleet.state.now(), { beats: new Map() }) ?? []) {
        if (kind !== PUT_PROFILE) continue
        const asked = body as PutProfileBody
        const { outcome, why = '' } = answers(asked)
        const differs = outcome === 'compared' ? { 'vm.swappiness': '60' } : {}
        fleet.state.append([profileFinished.of({ node: asked.node, switch: asked.switch, outcome, differs, why })])
      }
    })
  return { fleet, pass, most: () => most }
}
const states = (fleet: SimulatedFleet): string[] =>
  fleet.state.ask(nodeList, {}).map((it) => `${it.node} ${it.profile?.state ?? '-'}${it.isCordoned ? ' cordoned' : ''}`)

test('a profile is checked and kept with its versions; the same again is none', () => {
  const { fleet } = fleetWith({ nodes: 1 }, () => ({ outcome: 'set' }))
  expect(fleet.state.run(profileSetCommand, { document: DOCUMENT })).toEqual({ profile: 'fast', version: 1, isChanged: true })
  expect(fleet.state.run(profileSetCommand, { document: DOCUMENT })).toMatchObject({ version: 1, isChanged: false })
  const more = { ...DOCUMENT, transparent_hugepages: 'never' as const, hugepages: { '2MiB': 8 } }
  expect(fleet.state.run(profileSetCommand, { document: more })).toMatchObject({ version: 2 })
  expect(fleet.state.ask(profileShow, { profile: 'fast' }).settings).toEqual({
    'hugepages.2048kB': '8',
    'net.ipv4.tcp_rmem': '4096 131072 6291456',
    transparent_hugepages: 'never',
    'vm.swappiness': '1',
  })
  expect(() => fleet.state.ask(profileShow, { profile: 'nope' })).toThrow(expect.objectContaining({ code: 'TW_PROFILE_UNKNOWN' }))
  expect(() => fleet.state.run(profileApply, { profile: 'nope', target: 'n1' })).toThrow(
    expect.objectContaining({ code: 'TW_PROFILE_UNKNOWN' }),
  )
})

test.each([
  [{ profile: 'x' }, 'a profile has at least one setting'],
  [{ profile: 'x', sysctls: { '../../etc/passwd': '1' } }, 'a sysctl is named like'],
  [{ profile: 'x', sysctls: { 'net/../../etc': '1' } }, 'a sysctl is named like'],
  [{ profile: 'x', sysctls: { swappiness: '1' } }, 'a sysctl is named like'],
  [{ profile: 'x', sysctls: { 'vm.swappiness': ' ' } }, 'a setting has a value'],
  [{ profile: 'x', hugepages: { huge: 1 } }, 'a page size is written like 2MiB'],
  [{ profile: 'x', sysctl: {} }, 'sysctl'],
])('%j is no profile', (document, message) => {
  expect(JSON.stringify(hostProfileSchema.safeParse(document).error?.issues)).toContain(message)
})

test('nodes are switched one at a time in a small fleet, closed meanwhile, and labelled after', () => {
  const seen: string[] = []
  const { fleet, pass, most } = fleetWith({ nodes: 4 }, ({ node, settings }) => {
    seen.push(`${node} ${nodeRow(fleet.state.db, node)?.is_cordoned}`)
    expect(settings).toEqual({ 'net.ipv4.tcp_rmem': '4096 131072 6291456', 'vm.swappiness': '1' })
    return { outcome: 'set' }
  })
  fleet.state.run(profileSetCommand, { document: DOCUMENT })
  // Somebody else's cordon is not ours to lift.
  fleet.state.run(nodeCordon, { node: 'n2' })
  expect(fleet.state.run(profileApply, { profile: 'fast', target: 'region:r1' }).nodes).toEqual(['n1', 'n2', 'n3', 'n4'])
  pass(5000)
  expect(seen).toEqual(['n1 1', 'n2 1', 'n3 1', 'n4 1'])
  expect(most()).toBe(1)
  expect(states(fleet)).toEqual(['n1 set', 'n2 set cordoned', 'n3 set', 'n4 set'])
  expect(fleet.state.ask(nodeList, {})[0]?.attributes['meta.tier']).toBe('fast')
  expect(fleet.state.run(profileApply, { profile: 'fast', target: 'region:r1' })).toMatchObject({
    nodes: [],
    already: ['n1', 'n2', 'n3', 'n4'],
  })
  expect(fleet.state.replay().digest()).toBe(fleet.state.digest())
})

test('of 150 nodes three are switched at once', () => {
  const { fleet, pass, most } = fleetWith({ nodes: 150 }, () => ({ outcome: 'set' }))
  fleet.state.run(profileSetCommand, { document: DOCUMENT })
  fleet.state.run(profileApply, { profile: 'fast', target: 'region:r1' })
  pass(2000)
  expect(most()).toBe(3)
})

test('a node that does not read as written stays cordoned with the reason, and no further one is taken', () => {
  const why = 'vm.swappiness reads 60 after 1 was written; the old values are back'
  const { fleet, pass } = fleetWith({ nodes: 3 }, ({ node }) => (node === 'n2' ? { outcome: 'failed', why } : { outcome: 'set' }))
  fleet.state.run(profileSetCommand, { document: DOCUMENT })
  fleet.state.run(profileApply, { profile: 'fast', target: 'region:r1' })
  pass(5000)
  expect(states(fleet)).toEqual(['n1 set', 'n2 failed cordoned', 'n3 held'])
  const listed = renderNodes(PLAIN, fleet.state.ask(nodeList, {}), true)
  expect(listed).toContain(`fast v1 failed: ${why}`)
  expect(listed).toContain('fast v1 held: n2 failed')
  expect(renderProfile(PLAIN, fleet.state.ask(profileShow, { profile: 'fast' }))).toContain(why)
  // Once the cause is away it is applied again.
  fleet.state.run(nodeUncordon, { node: 'n2' })
  expect(fleet.state.run(profileApply, { profile: 'fast', target: 'n3' }).nodes).toEqual(['n3'])
  pass(2000)
  expect(states(fleet)).toEqual(['n1 set', 'n2 failed', 'n3 set'])
})

test('where nothing may be written the node is only compared, goes back into service and gets no labels', () => {
  const { fleet, pass } = fleetWith({ nodes: 1 }, () => ({ outcome: 'compared', why: 'compared and not written' }))
  fleet.state.run(profileSetCommand, { document: DOCUMENT })
  fleet.state.run(profileApply, { profile: 'fast', target: 'n1' })
  pass(2000)
  expect(states(fleet)).toEqual(['n1 compared'])
  expect(fleet.state.ask(nodeList, {})[0]?.attributes['meta.tier']).toBeUndefined()
  expect(renderNodes(PLAIN, fleet.state.ask(nodeList, {}), true)).toContain(
    'fast v1 compared: compared and not written; vm.swappiness is 60',
  )
  expect(renderProfiles(PLAIN, fleet.state.ask(profileList, {}))).toMatch(/fast v1 +2 +no +1 +0 +0 +1/)
})

test('drift is logged when it is news, shown, and gone when the node is as it was', () => {
  const { fleet, pass } = fleetWith({ nodes: 1 }, () => ({ outcome: 'set' }))
  fleet.state.run(profileSetCommand, { document: DOCUMENT })
  fleet.state.run(profileApply, { profile: 'fast', target: 'n1' })
  pass(2000)
  const say = (id: number, differs: Record<string, string>): boolean =>
    fleet.state.run(profileReport, { node: 'n1', switch: id, differs }).isChanged
  expect(say(1, {})).toBe(false)
  expect(say(1, { 'vm.swappiness': '60' })).toBe(true)
  expect(say(1, { 'vm.swappiness': '60' })).toBe(false)
  expect(fleet.state.ask(profileList, {})[0]?.counts).toMatchObject({ set: 0, drifted: 1 })
  expect(renderNodes(PLAIN, fleet.state.ask(nodeList, {}), true)).toContain('fast v1 drifted: vm.swappiness is 60')
  // Of another switch nothing is believed.
  expect(say(9, {})).toBe(false)
  expect(fleet.state.run(profileApply, { profile: 'fast', target: 'n1' }).nodes).toEqual(['n1'])
  pass(2000)
  expect(fleet.state.ask(profileList, {})[0]?.counts).toMatchObject({ set: 1, drifted: 0 })
})

test('a profile that drains empties a node first, within the budget, and never more than fits elsewhere', () => {
  const tasksOf = (node: string): number => fleet.state.ask(nodeList, {}).find((it) => it.node === node)?.tasks ?? -1
  const emptied: number[] = []
  const { fleet, pass, most } = fleetWith({ nodes: 3, cpuMilli: 1000 }, ({ node }) => {
    emptied.push(tasksOf(node))
    return { outcome: 'set' }
  })
  const web = (count: number) => ({
    job: 'web',
    groups: {
      api: {
        count,
        availability: { max_unavailable: 1, max_surge: 1, min_healthy_time: '0s' },
        main: { command: 'x', resources: { cpu: '300m', memory: '16MiB' } },
      },
    },
  })
  fleet.state.run(jobRun, { spec: web(8) })
  pass(3000)
  fleet.state.run(profileSetCommand, { document: { ...DOCUMENT, drain: true } })
  fleet.state.run(profileApply, { profile: 'fast', target: 'region:r1' })
  pass(5000)
  expect(states(fleet)).toEqual(['n1 waiting', 'n2 waiting', 'n3 waiting'])
  expect(fleet.state.ask(nodeList, {})[0]?.profile?.why).toMatch(/^room elsewhere for web\/api\[/)
  fleet.state.run(jobRun, { spec: web(4) })
  pass(60_000)
  expect(states(fleet)).toEqual(['n1 set', 'n2 set', 'n3 set'])
  expect(emptied).toEqual([0, 0, 0])
  expect(most()).toBe(1)
  expect(fleet.state.ask(nodeList, {}).reduce((sum, node) => sum + node.tasks, 0)).toBe(4)
  const moves = fleet.state.ask(opList, { isAll: true }).ops.filter((op) => op.kind === 'move')
  expect([...new Set(moves.map((op) => `${op.cause}: ${op.text}`))].sort()).toEqual(
    ['n1', 'n2', 'n3'].map((node) => `profile: profile fast of ${node}`),
  )
})

test('a node that somebody works on is not switched, and one that is taken for work meanwhile is not given back', () => {
  let isAnswering = true
  const { fleet, pass } = fleetWith({ nodes: 2 }, () => ({ outcome: 'set' }))
  fleet.state.run(maintenanceCreate, { targets: ['n1'], kind: 'reboot' })
  pass(5000)
  fleet.state.run(profileSetCommand, { document: DOCUMENT })
  fleet.state.run(profileApply, { profile: 'fast', target: 'region:r1' })
  pass(5000)
  expect(states(fleet)).toEqual(['n1 waiting cordoned', 'n2 set'])

  const held = fleetWith({ nodes: 1 }, ({ node }) => {
    if (isAnswering) held.fleet.state.run(maintenanceCreate, { targets: [node], kind: 'reboot' })
    isAnswering = false
    held.fleet.pass(2000)
    return { outcome: 'set' }
  })
  held.fleet.state.run(profileSetCommand, { document: DOCUMENT })
  held.fleet.state.run(profileApply, { profile: 'fast', target: 'n1' })
  held.pass(5000)
  expect(states(held.fleet)).toEqual(['n1 set cordoned'])
})

test('a node that somebody drains while it is switched stays drained and closed after', () => {
  for (const drain of [false, true]) {
    const { fleet, pass } = fleetWith({ nodes: 3 }, () => ({ outcome: 'set' }))
    fleet.state.run(profileSetCommand, { document: { ...DOCUMENT, drain } })
    fleet.state.run(profileApply, { profile: 'fast', target: 'n1' })
    fleet.pass(2000)
    expect(switchingNodes(fleet.state.db)).toMatchObject([{ node: 'n1', state: 'writing' }])
    fleet.state.run(nodeDrain, { target: 'n1' })
    fleet.pass(2000)
    pass(2000)
    expect(switchingNodes(fleet.state.db)).toEqual([])
    expect(nodeRow(fleet.state.db, 'n1')?.is_cordoned).toBe(1)
    expect(fleet.state.ask(drainShow, { target: 'n1' }).isDrained).toBe(true)
  }
})

test('a node that is retired is in no profile any more', () => {
  const { fleet, pass } = fleetWith({ nodes: 2 }, () => ({ outcome: 'set' }))
  fleet.state.run(profileSetCommand, { document: DOCUMENT })
  fleet.state.run(profileApply, { profile: 'fast', target: 'n2' })
  pass(2000)
  fleet.state.run(nodeCordon, { node: 'n2' })
  fleet.state.run(nodeRetire, { node: 'n2' })
  expect(fleet.state.ask(profileList, {})[0]?.counts.nodes).toBe(0)
})

test('limits are numbers, sizes or unlimited, and told as the kernel tells them', () => {
  const settingsOf = (rlimits: Record<string, unknown>) =>
    hostProfileSchema.parse({ profile: 'x', governor: 'performance', rlimits }).settings
  expect(settingsOf({ nofile: 65_536, memlock: '64MiB', stack: '8MiB:unlimited', nproc: '5:5' })).toEqual({
    governor: 'performance',
    'rlimit.nofile': '65536',
    'rlimit.memlock': '67108864',
    'rlimit.stack': '8388608:unlimited',
    'rlimit.nproc': '5',
  })
  expect(() => settingsOf({ nofile: 'many' })).toThrow(/a limit is a number, a size or `unlimited`/)
  expect(() => settingsOf({ core: 1 })).toThrow(/core/)
})
