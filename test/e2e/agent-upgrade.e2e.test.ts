import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { newFleet, type TestFleet } from '../support/fleet.ts'
import { newInstallation } from '../support/installation.ts'

let fleet: TestFleet

interface Row {
  id: number
  pid: number | null
  restarts: number
  state: string
}

beforeAll(async () => {
  fleet = newFleet()
  await fleet.data('up', '--nodes', '3')
  const spec = {
    job: 'web',
    groups: { api: { count: 6, main: { command: ['sleep', '1000'], resources: { cpu: '50m', memory: '16MiB' } } } },
  }
  writeFileSync(join(fleet.home, 'job.yaml'), JSON.stringify(spec))
  await fleet.data('tw', 'job', 'run', 'job.yaml', '--wait')
}, 90_000)
afterAll(() => fleet.end())

const tasks = async (): Promise<Row[]> => ((await fleet.data('tw', 'ps', 'web', '--all')) as { tasks: Row[] }).tasks
/** What each node's agent runs from; '' while there is none. */
const agents = async (): Promise<string[]> =>
  ['n1', 'n2', 'n3'].map((node) => {
    const { pid } = JSON.parse(readFileSync(join(fleet.root, 'agents', node, 'agent.json'), 'utf8')) as { pid: number }
    return existsSync(`/proc/${pid}`) ? (readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[1] ?? '') : ''
  })

test('agents go over to another installation wave by wave, and every process of their tasks stays', async () => {
  const before = await tasks()
  expect(before.map(({ state }) => state)).toEqual(Array(6).fill('running'))
  const next = join(fleet.home, 'muster-next')
  const program = newInstallation(next)
  const upgrade = await fleet.data('tw', 'upgrade', 'agents', '--from', next, '--waves', '1,100%', '--yes', '--wait', '--timeout', '60s')
  expect(upgrade).toMatchObject({
    state: 'done',
    waves: [
      { nodes: 1, done: 1 },
      { nodes: 2, done: 2 },
    ],
  })
  expect(await agents()).toEqual(Array(3).fill(program))
  expect(await tasks()).toEqual(before.map((row) => expect.objectContaining({ id: row.id, pid: row.pid, restarts: 0, state: 'running' })))
})

test('an installation whose agent does not come up stops at its first wave, whose agent goes back with its tasks', async () => {
  const before = await tasks()
  const broken = join(fleet.home, 'muster-broken')
  mkdirSync(join(broken, 'dist/agent'), { recursive: true })
  writeFileSync(join(broken, 'dist/agent/main.js'), 'process.exit(1)\n')
  const running = await agents()
  const { exitCode, json } = await fleet.muster(
    'tw',
    'upgrade',
    'agents',
    '--from',
    broken,
    '--yes',
    '--wait',
    '--timeout',
    '80s',
    '--json',
  )
  expect(exitCode).toBe(1)
  expect(json.data).toMatchObject({ state: 'stopped', waves: [{ failed: 1 }, { waiting: 1 }, { waiting: 1 }] })
  await eventually('it is back', 20_000, async () => (await agents()).join() === running.join())
  expect(await tasks()).toEqual(before.map((row) => expect.objectContaining({ id: row.id, pid: row.pid, state: 'running' })))
}, 120_000)
