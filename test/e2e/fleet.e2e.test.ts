import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { controlSystems } from '../../src/core/systems.ts'
import { openTestLog } from '../support/log.ts'
import { openStateDb } from '../../src/server/state/state-db.ts'
import { stateDigest } from '../../src/server/state/state-digest.ts'
import { identify } from '../../src/platform/process.ts'
import { newFleet, type TestFleet } from '../support/fleet.ts'
import { runHello } from '../support/hello.ts'
import { eventually } from '../support/eventually.ts'

/** One fleet, walked through as its users do; each test leaves it running. */
let fleet: TestFleet
const TASKS = 4

beforeAll(async () => {
  fleet = newFleet()
  const up = await fleet.muster('up', '--nodes', '3', '--regions', '2', '--json')
  expect(up.exitCode, up.stdout + up.stderr).toBe(0)
}, 120_000)

afterAll(async () => {
  await fleet.end()
}, 120_000)

const digest = (): string => {
  const db = openStateDb(join(fleet.root, 'state.db'))
  const text = stateDigest(db)
  db.close()
  return text
}

// oxlint-disable-next-line typescript/no-explicit-any -- the answer of `tw ps`
const healthy = async (): Promise<any[]> =>
  (await fleet.data('tw', 'ps')).tasks.filter((task: any) => task.state === 'running' && task.health === 'healthy')

const gateway = async (): Promise<string> => (await fleet.data('status')).nodes[0].gateway

test('a job file becomes healthy tasks that answer through the mesh from every task', async () => {
  await runHello(fleet, TASKS)
  await eventually(`${TASKS} healthy tasks`, 30_000, async () => (await healthy()).length === TASKS)
  const address = await gateway()
  const seen = new Set<string>()
  await eventually('an answer of every task', 20_000, async () => {
    const answer = (await (await fetch(`http://${address}/`, { headers: { 'x-user': String(Math.random()) } })).json()) as { task: string }
    return seen.add(answer.task).size === TASKS
  })
}, 120_000)

test('a second server on the same state is refused with exit 5 and disturbs nothing', async () => {
  const pid = fleet.serverPid()
  const second = await fleet.muster('up', '--json')
  expect(second.exitCode).toBe(5)
  expect(second.json.error.code).toBe('SERVER_RUNNING')
  expect(fleet.serverPid()).toBe(pid)
})

test('of two ups at the same moment one starts the fleet, and the other is refused with exit 5 without harm', async () => {
  const other = newFleet()
  try {
    const ups = await Promise.all([other.muster('up', '--nodes', '1', '--json'), other.muster('up', '--nodes', '1', '--json')])
    expect(ups.map(({ exitCode }) => exitCode).toSorted(), ups.map(({ stdout }) => stdout).join('\n')).toEqual([0, 5])
    expect((await other.data('status')).healthy).toBe(true)
  } finally {
    await other.end()
  }
}, 120_000)

test('a gateway port in use is refused with exit 6 before anything starts', async () => {
  const port = (await gateway()).split(':')[1] as string
  const other = newFleet()
  try {
    const up = await other.muster('up', '--gateway-port', port, '--json')
    expect(up.exitCode).toBe(6)
    expect(up.json.error.code).toBe('PORT_TAKEN')
    expect(existsSync(join(other.root, 'server.json'))).toBe(false)
  } finally {
    await other.end()
  }
})

test('a second fleet of another home runs beside the first with ports and state of its own', async () => {
  const other = newFleet()
  try {
    const status = await other.data('up', '--nodes', '2')
    const mine = (await fleet.data('status')).nodes.map((node: { gateway: string }) => node.gateway)
    for (const node of status.nodes) expect(mine).not.toContain(node.gateway)
    expect((await other.data('tw', 'ps')).tasks).toEqual([])
    expect((await healthy()).length).toBe(TASKS)
  } finally {
    await other.end()
  }
  expect((await healthy()).length).toBe(TASKS)
}, 120_000)

describe('kill -9', () => {
  test('of an agent leaves its tasks running, and the next agent takes them over with their pids', async () => {
    const before = await healthy()
    const victim = (await fleet.data('status')).nodes.find((node: { tasks: number }) => node.tasks > 0)
    process.kill(victim.pid, 'SIGKILL')
    await eventually('a new agent', 15_000, async () => {
      const node = (await fleet.data('status')).nodes.find(({ node }: { node: string }) => node === victim.node)
      return node.pid !== null && node.pid !== victim.pid && node.state === 'ready' && node.beatAgeMs < 2000
    })
    await eventually('all tasks healthy again', 20_000, async () => (await healthy()).length === TASKS)
    const pids = (tasks: { task: string; pid: number }[]): string[] => tasks.map(({ task, pid }) => `${task} ${pid}`).toSorted()
    expect(pids(await healthy())).toEqual(pids(before))
  }, 120_000)

  test('of the tasks of an agent that is silent itself: they serve elsewhere within 15 s, and the node may come back', async () => {
    const victim = (await fleet.data('status')).nodes.find((node: { tasks: number }) => node.tasks > 0)
    const dead = (await healthy()).filter(({ node }) => node === victim.node).map(({ pid }) => pid)
    process.kill(victim.pid, 'SIGSTOP')
    try {
      for (const pid of dead) process.kill(pid, 'SIGKILL')
      const elsewhere = async (): Promise<boolean> => {
        const tasks = await healthy()
        return tasks.length === TASKS && tasks.every(({ node }) => node !== victim.node)
      }
      await eventually('all tasks on other nodes', 15_000, elsewhere)
    } finally {
      process.kill(victim.pid, 'SIGCONT')
    }
    await eventually('the node again', 15_000, async () => {
      const node = (await fleet.data('status')).nodes.find(({ node }: { node: string }) => node === victim.node)
      return node.state === 'ready'
    })
    expect((await healthy()).length).toBe(TASKS)
  }, 120_000)

  test('of the server stops no task; reads go on from the state on disk, and the next server goes on', async () => {
    const before = await healthy()
    const address = await gateway()
    process.kill(fleet.serverPid() as number, 'SIGKILL')
    const offline = await fleet.muster('tw', 'ps', '--json')
    expect(offline.exitCode).toBe(0)
    expect(offline.json.data.tasks).toHaveLength(TASKS)
    expect(offline.json.warnings.join(' ')).toMatch(/server/)
    const change = await fleet.muster('tw', 'job', 'scale', 'web', '2', '--json')
    expect(change.exitCode).toBe(6)
    expect((await fetch(`http://${address}/`)).status).toBe(200)
    expect((await fleet.muster('up', '--json')).exitCode).toBe(0)
    await eventually('all tasks healthy', 20_000, async () => (await healthy()).length === TASKS)
    expect((await healthy()).map(({ pid }) => pid).toSorted()).toEqual(before.map(({ pid }) => pid).toSorted())
  }, 120_000)
})

test('a removed state.db is built again from the log with identical content, a digest over all tables', async () => {
  // The server is stopped so that the log stands still; agents and tasks go on meanwhile.
  process.kill(fleet.serverPid() as number, 'SIGTERM')
  await eventually('the end of the server', 20_000, () => fleet.serverPid() === null)
  const before = digest()
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(fleet.root, `state.db${suffix}`), { force: true })
  const control = await openTestLog({
    folder: join(fleet.root, 'log', 'control', '00000001'),
    dbFile: join(fleet.root, 'state.db'),
    systems: controlSystems,
  })
  await control.close()
  expect(digest()).toBe(before)
  rmSync(join(fleet.root, 'state.db'), { force: true })
  expect((await fleet.muster('up', '--json')).exitCode).toBe(0)
  expect((await fleet.data('tw', 'ps')).tasks).toHaveLength(TASKS)
}, 120_000)

test('a log with a flipped bit in its middle is refused with exit 6 and a clear word, and nothing is changed', async () => {
  expect((await fleet.muster('down')).exitCode).toBe(0)
  const folder = join(fleet.root, 'log', 'control', '00000001')
  const file = join(
    folder,
    readdirSync(folder)
      .filter((name) => name.endsWith('.seg'))
      .toSorted()[0] as string,
  )
  const bytes = readFileSync(file)
  const at = 300
  bytes[at] = (bytes[at] as number) ^ 0x10
  writeFileSync(file, bytes)
  const up = await fleet.muster('up', '--json')
  expect(up.exitCode).toBe(6)
  expect(up.json.error.code).toBe('DELOS_LOG_CORRUPT')
  expect(readFileSync(file).equals(bytes)).toBe(true)
  bytes[at] = (bytes[at] as number) ^ 0x10
  writeFileSync(file, bytes)
  expect((await fleet.muster('up', '--json')).exitCode).toBe(0)
  await eventually('the tasks again', 30_000, async () => (await healthy()).length === TASKS)
}, 120_000)

test('a state of a newer version is refused with exit 6', async () => {
  const other = newFleet()
  try {
    expect((await other.muster('up', '--json')).exitCode).toBe(0)
    expect((await other.muster('down')).exitCode).toBe(0)
    writeFileSync(join(other.root, 'format.json'), '{"format": 99}')
    const up = await other.muster('up', '--json')
    expect(up.exitCode).toBe(6)
    expect(up.json.error.code).toBe('STATE_NEWER')
  } finally {
    await other.end()
  }
}, 120_000)

test('down ends every process of the fleet', async () => {
  const status = await fleet.data('status')
  const tasks = await healthy()
  const pids = [
    status.server.pid,
    status.scuba.pid,
    ...status.nodes.map(({ pid }: { pid: number }) => pid),
    ...tasks.map(({ pid }) => pid),
  ] as number[]
  expect((await fleet.muster('down')).exitCode).toBe(0)
  expect(pids.filter((pid) => identify(pid) !== null)).toEqual([])
}, 120_000)
