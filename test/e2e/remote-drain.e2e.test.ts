import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { newFleet, type TestFleet } from '../support/fleet.ts'
import { openMachines, whyNoMachines, type Machines } from '../support/netns.ts'

const reason = whyNoMachines()
const NODES = ['a', 'b'] as const

/** Says "not yet" until the file YES is there; has a child of its own, and takes a second and a half to end. */
const APP = `
  const { existsSync, appendFileSync } = require('node:fs')
  require('node:child_process').spawn('sleep', ['1000'])
  require('node:http').createServer((request, response) => {
    let text = ''
    request.on('data', (piece) => (text += piece)).on('end', () => {
      appendFileSync(process.env.ASKED, text + '\\n')
      const { pending } = JSON.parse(text)
      response.end(JSON.stringify(existsSync(process.env.YES) ? { allow: pending.map(({ op }) => op) } : {}))
    })
  }).listen(Number(process.env.MUSTER_PORT_CONTROL))
  process.on('SIGTERM', () => setTimeout(() => process.exit(0), 1500))`

interface Row {
  id: number
  task: string
  node: string
  state: string
  pid: number | null
}

/** A server, and the agent of another machine whose task has to be asked before it may go. */
describe.skipIf(reason !== null)(`drains of other machines${reason === null ? '' : `: ${reason}`}`, () => {
  let machines: Machines
  let server: TestFleet
  let yes: string
  let asked: string
  const homes = new Map<string, TestFleet>()

  beforeAll(async () => {
    machines = openMachines(['s', ...NODES])
    server = newFleet()
    yes = join(server.home, 'yes')
    asked = join(server.home, 'asked')
    const up = await machines.muster('s', server, 'up', '--nodes', '0', '--agents', `${machines.network.addressOf('s')}:7800`)
    expect(up.exitCode, up.stderr).toBe(0)
    const { token } = await server.data('tw', 'node', 'token', '--uses', '2')
    for (const node of NODES) {
      const home = newFleet()
      homes.set(node, home)
      const address = machines.network.addressOf(node)
      machines.start(node, home, 'agent', '--name', node, '--rack', `k-${node}`, '--address', address, '--cpu', '1', '--token', token)
    }
    await eventually('both have joined', 30_000, async () => {
      const nodes: { state: string }[] = await server.data('tw', 'node', 'ls')
      return nodes.length === 2 && nodes.every(({ state }) => state === 'ready')
    })
    const main = {
      command: ['node', '-e', APP],
      env: { YES: yes, ASKED: asked },
      stop: { timeout: '10s' },
      resources: { cpu: '100m', memory: '32MiB' },
    }
    const availability = { max_unavailable: 1, max_surge: 0, min_healthy_time: '0s', consent: 'http://:control/ops' }
    const group = { count: 2, availability, network: { ports: { control: {} } }, main }
    writeFileSync(join(server.home, 'db.yaml'), JSON.stringify({ job: 'db', groups: { main: group } }))
    await server.data('tw', 'job', 'run', 'db.yaml', '--wait', '--timeout', '40s')
  }, 120_000)

  afterAll(async () => {
    for (const home of homes.values()) await home.end()
    await server.end()
    machines.close()
  }, 60_000)

  const running = async (): Promise<Row[]> =>
    ((await server.data('tw', 'ps', 'db')) as { tasks: Row[] }).tasks.filter(({ state }) => state === 'running')
  const on = async (node: string): Promise<Row> => {
    const row = (await running()).find((task) => task.node === node)
    if (row === undefined) throw new Error(`nothing runs on ${node}`)
    return row
  }
  /** A task's process and all below it. */
  const treeOf = (pid: number): number[] => {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').map(Number).filter(Boolean)
    return [pid, ...children.flatMap(treeOf)]
  }
  const alive = (pids: readonly number[]): number[] => pids.filter((pid) => existsSync(`/proc/${pid}`))
  const pidsOf = async (task: Row): Promise<number[]> =>
    eventually('its child', 10_000, () => {
      const tree = treeOf(task.pid ?? 0)
      return tree.length === 2 ? tree : null
    })

  test('what has to be asked holds the drain, which names it; nobody waits longer than asked for, and a yes ends it', async () => {
    const before = await on('a')
    const pids = await pidsOf(before)
    const late = await server.muster('tw', 'drain', 'a', '--deadline', '1s', '--yes', '--wait', '--timeout', '4s', '--json')
    expect(late.exitCode).toBe(1)
    expect(late.json.error.code).toBe('WAIT_OVER')
    expect(late.json.error.message).toContain(`${before.task} on a waits for the yes of the application (http://:control/ops)`)

    // The endpoint was told what is planned, by which cause, and what the budget is.
    const told = JSON.parse(readFileSync(asked, 'utf8').split('\n')[0] ?? '')
    expect(told).toMatchObject({ job: 'db', budget: { max: 1, unavailable: 0, left: 1 }, pending: [{ task: before.task, cause: 'drain' }] })

    // The deadline is not hard: it is said to have passed, and nothing is stopped.
    const again = await server.data('tw', 'drain', 'a', '--yes')
    expect(again).toMatchObject({ isChanged: false, left: [{ task: before.task, node: 'a', code: 'TW_CONSENT_WAIT' }] })
    const { ops } = await server.data('tw', 'op', 'ls', '--node', 'a')
    expect(ops).toMatchObject([{ task: before.task, cause: 'drain', state: 'asked', isLate: true, code: 'TW_CONSENT_WAIT' }])
    expect((await server.muster('tw', 'events', '--node', 'a')).stdout).toContain(`drain of a is overdue: ${before.task} still there`)
    expect((await on('a')).pid).toBe(before.pid)
    expect(alive(pids)).toEqual(pids)

    writeFileSync(yes, '')
    const drained = await server.muster('tw', 'drain', 'a', '--yes', '--wait', '--timeout', '60s')
    // Looked at in this moment: a drain that is over before the processes are gone would be wrong.
    expect(alive(pids)).toEqual([])
    expect(drained.exitCode, drained.stderr).toBe(0)
    await eventually(
      'both serve on the other machine',
      30_000,
      async () => (await running()).filter(({ node }) => node === 'b').length === 2,
    )
  }, 120_000)

  test('at a hard deadline it is stopped without a yes, and that is on record', async () => {
    rmSync(yes, { force: true })
    await server.data('tw', 'undrain', 'a')
    const before = await on('b')
    const pids = await pidsOf(before)
    const beganAt = performance.now()
    const drained = await server.muster('tw', 'drain', 'b', '--deadline', '3s', '--hard', '--yes', '--wait', '--timeout', '60s')
    expect(alive(pids)).toEqual([])
    expect(drained.exitCode, drained.stderr).toBe(0)
    expect(performance.now() - beganAt).toBeGreaterThan(3000)
    const { ops } = await server.data('tw', 'op', 'ls', '--all')
    const forced = ops.filter((op: { cause: string; isForced: boolean }) => op.isForced)
    expect(forced.map((op: { task: string }) => op.task)).toContain(before.task)
    await eventually('both serve on the first again', 30_000, async () => (await running()).filter(({ node }) => node === 'a').length === 2)
  }, 120_000)
})
