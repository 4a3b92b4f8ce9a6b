import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newFleet, type TestFleet } from '../../support/fleet.ts'
import { eventually } from '../../support/eventually.ts'

/** The leader and follower example that comes with muster, asked by a real fleet before each planned stop. */
let fleet: TestFleet

interface Op {
  op: number
  task: string
  state: string
  waitsFor: string
  code: string | null
  decidedAtMs: number | null
  isForced: boolean
}

const ops = async (...flags: string[]): Promise<Op[]> => (await fleet.data('tw', 'op', 'ls', ...flags)).ops
const run = (...flags: string[]): Promise<unknown> => fleet.data('tw', 'job', 'run', 'leader.yaml', ...flags)
const versions = async (): Promise<number[]> =>
  (await fleet.data('tw', 'ps', 'leader')).tasks.map((task: { version: number }) => task.version)

beforeAll(async () => {
  fleet = newFleet()
  await fleet.data('up', '--nodes', '2', '--regions', '2')
  const { stdout } = await fleet.muster('tw', 'init', 'leader')
  writeFileSync(join(fleet.home, 'leader.yaml'), stdout.replace('/tmp/muster-leader', join(fleet.home, 'leader')))
  await run('--wait', '--timeout', '60s')
}, 120_000)

afterAll(async () => {
  await fleet.end()
}, 120_000)

async function leaderTask(): Promise<string> {
  const { tasks } = await fleet.data('tw', 'ps', 'leader')
  const [task] = tasks
  const node = (await fleet.data('tw', 'node', 'show', task.node)).node
  const answer = await fetch(`http://${node.address}:${task.ports.http}/`)
  return ((await answer.json()) as { leader: string }).leader
}

test('an update stops followers first and the leader last, one at a time', async () => {
  const leader = await eventually('a leader', 20_000, leaderTask)
  await run('--set', 'groups.main.main.env.NEW=1')
  await eventually('the new version everywhere', 90_000, async () => {
    const now = await versions()
    return now.length === 3 && now.every((version) => version === 2)
  })
  const done = await eventually('three ops that are done', 20_000, async () => {
    const all = await ops('--all')
    return all.length === 3 && all.every((op) => op.state === 'done') ? all : null
  })
  const order = done.toSorted((a, b) => (a.decidedAtMs ?? 0) - (b.decidedAtMs ?? 0))
  expect(order.at(-1)?.task).toBe(leader)
  expect(order.slice(0, 2).map((op) => op.task)).not.toContain(leader)
})

test('an endpoint that answers garbage holds an update back and is named; an operator allows, delays and forces', async () => {
  await run('--set', 'groups.main.availability.consent=http://:http/', '--set', 'groups.main.main.env.NEW=2')
  const [first, second] = await eventually('ops that wait for the application', 30_000, async () => {
    const waiting = await ops('--job', 'leader')
    const asked = waiting.filter((op) => op.state === 'asked' && op.waitsFor.includes('has not the form'))
    return asked.length === 3 ? asked : null
  })
  expect(first).toMatchObject({ code: 'TW_CONSENT_WAIT' })
  expect((await fleet.muster('tw', 'op', 'ls')).stdout).toContain('TW_CONSENT_WAIT')
  expect(await versions()).toEqual([2, 2, 2])
  await fleet.data('tw', 'op', 'delay', String(second?.op), '--for', '10m', '--reason', 'backup')
  expect(await fleet.data('tw', 'op', 'show', String(second?.op))).toMatchObject({ state: 'delayed' })
  expect((await fleet.muster('tw', 'op', 'allow', String(first?.op))).exitCode).toBe(4)
  await fleet.data('tw', 'op', 'allow', String(first?.op), '--yes')
  await eventually('the allowed one replaced', 60_000, async () => (await versions()).filter((version) => version === 3).length === 1)
  expect((await fleet.muster('tw', 'op', 'force', String(second?.op), '--yes')).exitCode).not.toBe(0)
  await fleet.data('tw', 'op', 'force', String(second?.op), '--confirm', String(second?.op), '--reason', 'no time')
  await eventually('the forced one replaced', 60_000, async () => (await versions()).filter((version) => version === 3).length === 2)
  expect((await fleet.muster('tw', 'op', 'show', String(second?.op))).stdout).toMatch(/forced/)
  const events = await fleet.muster('tw', 'events', '--json')
  expect(events.stdout).toContain('tw.OpForced')
  expect((await fleet.muster('tw', 'op', 'show', '9999')).exitCode).toBe(3)
})
