import type { ChildProcess } from 'node:child_process'
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newFleet, type TestFleet } from '../support/fleet.ts'
import { newInstallation } from '../support/installation.ts'
import { eventually } from '../support/eventually.ts'
import { openMachines, whyNoMachines, type Machines } from '../support/netns.ts'

const reason = whyNoMachines()
const jobOf = (name: string, policy = ''): string => `job: ${name}
kind: service
groups:
  api:
    count: 2
    ${policy}
    main:
      command: ["/bin/sh", "-c", "while true; do echo here is $MUSTER_NODE; sleep 0.2; done"]
      stop: {timeout: 1s}
      resources: {cpu: 100m, memory: 16MiB}
`

interface Row {
  task: string
  node: string
  state: string
  id: number
  pid: number | null
}

/** A server and agents on machines of their own, joined by a network that can be cut. */
describe.skipIf(reason !== null)(`agents of other machines${reason === null ? '' : `: ${reason}`}`, () => {
  let machines: Machines
  let server: TestFleet
  const homes = new Map<string, TestFleet>()
  const keepers = new Map<string, ChildProcess>()

  const rowsOf = async (job: string, ...args: string[]): Promise<Row[]> =>
    ((await server.data('tw', 'ps', job, ...args)) as { tasks: Row[] }).tasks
  const tasks = (): Promise<Row[]> => rowsOf('web')
  const running = async (job = 'web'): Promise<Row[]> => (await rowsOf(job)).filter((task) => task.state === 'running')
  const runJob = async (name: string, policy?: string): Promise<void> => {
    writeFileSync(join(server.home, 'job.yaml'), jobOf(name, policy))
    await server.data('tw', 'job', 'run', 'job.yaml', '--wait', '--timeout', '40s')
  }
  const stateOf = async (node: string): Promise<string> =>
    ((await server.data('tw', 'node', 'ls')) as { node: string; state: string }[]).find((row) => row.node === node)?.state ?? 'unknown'
  const agent = (node: string, ...args: string[]): void => {
    const address = machines.network.addressOf(node)
    const child = machines.start(
      node,
      homes.get(node) as TestFleet,
      'agent',
      '--name',
      node,
      '--rack',
      `k-${node}`,
      '--address',
      address,
      '--cpu',
      '1',
      ...args,
    )
    keepers.set(node, child)
  }
  const isAlive = (pid: number | null): boolean => pid !== null && existsSync(`/proc/${pid}`)

  beforeAll(async () => {
    machines = openMachines(['s', 'a', 'b', 'c'])
    server = newFleet()
    for (const node of ['a', 'b', 'c']) homes.set(node, newFleet())
    const up = await machines.muster('s', server, 'up', '--nodes', '0', '--agents', `${machines.network.addressOf('s')}:7800`)
    expect(up.stderr).toContain('starting')
    expect(up.exitCode).toBe(0)
    const { token } = await server.data('tw', 'node', 'token', '--uses', '2')
    for (const node of ['a', 'b']) agent(node, '--token', token)
    await eventually('both have joined', 30_000, async () => (await stateOf('a')) === 'ready' && (await stateOf('b')) === 'ready')
    await runJob('web')
  }, 90_000)

  afterAll(async () => {
    for (const fleet of homes.values()) await fleet.end()
    await server.end()
    machines.close()
  })

  test('their logs and commands beside their tasks come over the connection that they made', async () => {
    expect((await tasks()).map(({ node }) => node).sort()).toEqual(['a', 'b'])
    await eventually('logs of both', 10_000, async () => {
      const { stdout } = await server.muster('tw', 'logs', 'web', '-n', '1')
      return stdout.includes('here is a') && stdout.includes('here is b')
    })
    const onA = (await tasks()).find(({ node }) => node === 'a') as Row
    const shown = await server.muster('tw', 'task', 'exec', onA.task, '--', 'sh', '-c', 'ip -o addr show eth0; echo oops >&2; exit 7')
    expect(shown.stdout).toContain(machines.network.addressOf('a'))
    expect(shown.stderr).toContain('oops')
    expect(shown.exitCode).toBe(7)
  })

  test('a used, a wrong and an expired token are one clear error each, and a taken name is not given away', async () => {
    const { token } = await server.data('tw', 'node', 'token')
    const { token: short } = await server.data('tw', 'node', 'token', '--ttl', '1s')
    const c = homes.get('c') as TestFleet
    const join = (name: string, given: string) => machines.muster('c', c, 'agent', '--name', name, '--token', given, '--json')
    const codeOf = async (name: string, given: string): Promise<string> => {
      const { stdout, exitCode } = await join(name, given)
      expect(exitCode).not.toBe(0)
      return (JSON.parse(stdout) as { error: { code: string } }).error.code
    }
    expect(await codeOf('a', token)).toBe('TW_NODE_CLAIMED')
    expect(await codeOf('c', `${token.slice(0, -4)}AAAA`)).toBe('TW_TOKEN_UNKNOWN')
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect(await codeOf('c', short)).toBe('TW_TOKEN_EXPIRED')
    expect(await codeOf('c', token.replace('agent-', ''))).toBe('USAGE')
    // On the machine of the node itself: whoever keeps its agent running is not joined by a second one.
    const again = await machines.muster('a', homes.get('a') as TestFleet, 'agent', '--name', 'a', '--json')
    expect((JSON.parse(again.stdout) as { error: { code: string } }).error.code).toBe('TW_NODE_CLAIMED')
  })

  test('a second agent with the key of a node that lives is refused, and the node stays that of the first', async () => {
    const copy = homes.get('c') as TestFleet
    cpSync(join((homes.get('a') as TestFleet).root, 'keys'), join(copy.root, 'keys'), { recursive: true })
    for (const file of ['servers.json'])
      cpSync(join((homes.get('a') as TestFleet).root, 'agents/a', file), join(copy.root, 'agents/a', file), { recursive: true })
    const pid = ((await server.data('tw', 'node', 'show', 'a')) as { node: { pid?: number } }).node.pid
    const second = machines.start(
      'c',
      copy,
      'agent',
      '--name',
      'a',
      '--rack',
      'k-a',
      '--address',
      machines.network.addressOf('a'),
      '--cpu',
      '1',
    )
    const log = join(copy.root, 'agents/a/agent.log')
    await eventually('it is refused', 20_000, async () => existsSync(log) && readFileSync(log, 'utf8').includes('TW_NODE_CLAIMED'))
    expect(await stateOf('a')).toBe('ready')
    expect(((await server.data('tw', 'node', 'show', 'a')) as { node: { pid?: number } }).node.pid).toBe(pid)
    expect(await running()).toHaveLength(2)
    second.kill('SIGTERM')
    await copy.muster('down')
  })

  test('agents of other machines go over to another installation, and every process of their tasks stays', async () => {
    const before = await running()
    expect(new Set(before.map(({ node }) => node))).toEqual(new Set(['a', 'b']))
    const folder = join(server.home, 'muster-next')
    const program = newInstallation(folder)
    const upgrade = await server.data(
      'tw',
      'upgrade',
      'agents',
      '--from',
      folder,
      '--waves',
      '1,100%',
      '--yes',
      '--wait',
      '--timeout',
      '60s',
    )
    expect(upgrade).toMatchObject({ state: 'done', waves: [{ done: 1 }, { done: 1 }] })
    for (const node of ['a', 'b']) {
      const file = join((homes.get(node) as TestFleet).root, 'agents', node, 'agent.json')
      const { pid } = JSON.parse(readFileSync(file, 'utf8')) as { pid: number }
      expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[1]).toBe(program)
    }
    expect((await running()).map(({ id, pid }) => [id, pid])).toEqual(before.map(({ id, pid }) => [id, pid]))
    expect(before.every(({ pid }) => isAlive(pid))).toBe(true)
  })

  test('an agent that is cut off keeps its tasks; they are replaced, and end when it is back', async () => {
    const before = (await running()).find(({ node }) => node === 'a') as Row
    machines.network.unplug('a')
    await eventually(
      'its tasks run elsewhere',
      40_000,
      async () => (await stateOf('a')) === 'lost' && (await running()).filter(({ node }) => node === 'b').length === 2,
    )
    expect(isAlive(before.pid)).toBe(true)
    machines.network.plug('a')
    await eventually('it is back and its old process gone', 30_000, async () => (await stateOf('a')) === 'ready' && !isAlive(before.pid))
    expect(await running()).toHaveLength(2)
    const old = (await rowsOf('web', '--all')).find(({ id }) => id === before.id)
    expect(old?.state).toBe('lost')
  }, 90_000)

  test('`keep: original` keeps the old process over a partition and ends its replacement, and a fenced one ends by itself', async () => {
    await runJob('kept', 'disconnect: {lost_after: 1s, keep: original}')
    await runJob('single', 'disconnect: {lost_after: 1s, keep: original, stop_after: 4s}')
    const [kept, single] = await Promise.all(
      ['kept', 'single'].map(async (job) => (await running(job)).find(({ node }) => node === 'a') as Row),
    )
    machines.network.unplug('a')
    await eventually('they are replaced', 60_000, async () =>
      (await Promise.all(['kept', 'single'].map((job) => running(job)))).every(
        (rows) => rows.filter(({ node }) => node === 'b').length === 2,
      ),
    )
    expect((await rowsOf('kept')).find(({ id }) => id === kept?.id)?.state).toBe('unknown')
    expect(isAlive(kept?.pid ?? null)).toBe(true)
    expect(isAlive(single?.pid ?? null)).toBe(false)
    machines.network.plug('a')
    await eventually('the original stays and its replacement is gone', 40_000, async () => {
      const rows = await rowsOf('kept')
      return rows.length === 2 && rows.some((row) => row.id === kept?.id && row.state === 'running' && row.pid === kept.pid)
    })
    expect(isAlive(kept?.pid ?? null)).toBe(true)
    const ended = (await rowsOf('kept', '--all')).filter(({ id }) => id > (kept?.id ?? 0) && id !== kept?.id)
    expect(ended.map(({ state }) => state)).toContain('stopped')
    const fenced = (await rowsOf('single', '--all')).find(({ id }) => id === single?.id)
    expect(fenced?.state).toBe('stopped')
    expect(await running('single')).toHaveLength(2)
    for (const job of ['kept', 'single']) await server.data('tw', 'job', 'stop', job, '--yes')
  }, 150_000)

  test('a drained machine has no process of its tasks left', async () => {
    await server.data('tw', 'drain', 'b', '--yes', '--wait', '--timeout', '40s')
    expect((await running()).map(({ node }) => node)).toEqual(['a', 'a'])
  })
})
