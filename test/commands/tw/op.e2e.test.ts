import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newFleet, PULLING_APP, type TestFleet } from '../../support/fleet.ts'
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
}, 150_000)

test('an endpoint that answers garbage holds an update back and is named; an operator allows, delays and forces', async () => {
  await run('--set', 'groups.main.availability.consent=http://:http/', '--set', 'groups.main.main.env.NEW=2')
  const [first, second] = await eventually('ops that wait for the application', 30_000, async () => {
    const asked = (await ops('--job', 'leader')).filter((op) => op.state === 'asked' && op.waitsFor.includes('has not the form'))
    return asked.length === 3 ? asked : null
  })
  expect(first).toMatchObject({ code: 'TW_CONSENT_WAIT' })
  expect(await versions()).toEqual([2, 2, 2])
  const [one, two] = [String(first?.op), String(second?.op)]
  await fleet.data('tw', 'op', 'delay', two, '--for', '10m', '--reason', 'backup')
  expect(await fleet.data('tw', 'op', 'show', two)).toMatchObject({ state: 'delayed' })
  expect((await fleet.muster('tw', 'op', 'allow', one)).exitCode).toBe(4)
  await fleet.data('tw', 'op', 'allow', one, '--yes')
  expect((await fleet.muster('tw', 'op', 'force', two, '--yes')).exitCode).not.toBe(0)
  await fleet.data('tw', 'op', 'force', two, '--confirm', two, '--reason', 'no time')
  await eventually('both replaced', 60_000, async () => (await versions()).filter((version) => version === 3).length === 2)
  expect((await fleet.muster('tw', 'op', 'show', two)).stdout).toMatch(/forced/)
  expect((await fleet.muster('tw', 'op', 'show', '9999')).exitCode).toBe(3)
}, 100_000)

test('a command beside a task is asked as an endpoint would be, and its yes lets the drain of a node end', async () => {
  // It allows whatever waits.
  const command = `node -e 'let t = ""; process.stdin.on("data", (c) => (t += c)).on("end", () => console.log(JSON.stringify({ allow: JSON.parse(t).pending.map((op) => op.op) })))'`
  const file = readFileSync(join(fleet.home, 'leader.yaml'), 'utf8')
  writeFileSync(
    join(fleet.home, 'asked.yaml'),
    file
      .replace('consent: "http://:http/ops"', `consent: {command: ["/bin/sh", "-c", ${JSON.stringify(command)}]}`)
      .replace('order: leader-last', 'order: any'),
  )
  await fleet.data('tw', 'job', 'run', 'asked.yaml', '--wait', '--timeout', '60s')
  const drain = await fleet.muster('tw', 'drain', 'n2', '--yes', '--wait', '--timeout', '60s')
  expect(drain.exitCode, drain.stderr).toBe(0)
  expect((await fleet.data('tw', 'ps', '--node', 'n2')).tasks).toEqual([])
  await fleet.data('tw', 'undrain', 'n2')
}, 150_000)

test('an application that pulls asks with its own token, is let at nothing else, and its yes lets an update go on', async () => {
  const main = { command: ['node', PULLING_APP], env: { V: '1' }, isolation: 'plain' }
  const availability = { max_unavailable: 1, max_surge: 0, min_healthy_time: '0s', consent: 'pull' }
  writeFileSync(join(fleet.home, 'pull.yaml'), JSON.stringify({ job: 'pull', groups: { main: { count: 2, availability, main } } }))
  await fleet.data('tw', 'job', 'run', 'pull.yaml', '--wait', '--timeout', '60s')
  await eventually('the answers to what it may not ask', 20_000, async () =>
    (await fleet.muster('tw', 'logs', 'pull')).stdout.includes('refused NOT_PERMITTED NOT_PERMITTED'),
  )
  await fleet.data('tw', 'job', 'run', 'pull.yaml', '--set', 'groups.main.main.env.V=2')
  await eventually('the new version', 60_000, async () => {
    const { tasks } = await fleet.data('tw', 'ps', 'pull')
    return tasks.length === 2 && tasks.every((task: { version: number; state: string }) => task.version === 2 && task.state === 'running')
  })
  const done: Op[] = (await ops('--job', 'pull', '--all')).filter((op) => op.state === 'done')
  expect(done.length).toBe(2)
  await fleet.data('tw', 'job', 'stop', 'pull', '--yes')
}, 150_000)

test('maintenance drains a node, runs its command there once, keeps what it says, and gives the node back', async () => {
  const plan = await fleet.muster(
    'tw',
    'maintenance',
    'create',
    '--nodes',
    'n1,n2',
    '--kind',
    'command',
    '--command',
    'echo patched',
    '--plan',
  )
  expect(plan.stdout).toContain('tw.MaintenanceScheduled')
  await fleet.data('tw', 'maintenance', 'create', '--nodes', 'n1,n2', '--kind', 'command', '--command', 'echo patched', '--yes')
  const done = await eventually('both nodes back', 90_000, async () => {
    const it = await fleet.data('tw', 'maintenance', 'show', '1')
    return it.state === 'finished' ? it : null
  })
  expect(done.works).toMatchObject([
    { node: 'n1', state: 'returned', exitCode: 0, output: 'patched\n' },
    { node: 'n2', state: 'returned', exitCode: 0, output: 'patched\n' },
  ])
  expect((await fleet.data('tw', 'node', 'ls')).map((node: { isCordoned: boolean }) => node.isCordoned)).toEqual([false, false])
  await fleet.data('tw', 'maintenance', 'create', '--nodes', 'n1', '--kind', 'command', '--command', 'echo no; exit 3', '--yes')
  const failed = await eventually('its end', 60_000, async () => {
    const it = await fleet.data('tw', 'maintenance', 'show', '2')
    return it.state === 'aborted' ? it : null
  })
  expect(failed.works).toMatchObject([{ state: 'aborted', exitCode: 3, output: 'no\n', waitsFor: 'its command ended with 3' }])
  expect((await fleet.muster('tw', 'maintenance', 'ls', '--all')).stdout).toContain('aborted')
  expect((await fleet.muster('tw', 'maintenance', 'create', '--nodes', 'n1', '--tz', 'Mars/Base', '--yes')).exitCode).toBe(2)
}, 200_000)
