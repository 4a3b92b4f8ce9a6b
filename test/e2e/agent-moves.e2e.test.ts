import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { BIN, newFleet, PULLING_APP, type TestFleet } from '../support/fleet.ts'
import { freePort } from '../support/free-port.ts'

/** Three servers and a joined agent, each with a state directory of its own, as on four machines. */
let servers: TestFleet[]
let machine: TestFleet
let agent: ChildProcess

beforeAll(async () => {
  servers = [newFleet(), newFleet(), newFleet()]
  machine = newFleet()
  const [first, ...others] = servers as [TestFleet, TestFleet, TestFleet]
  const port = async (): Promise<string> => `127.0.0.1:${await freePort()}`
  await first.data('up', '--name', 's0', '--nodes', '0', '--agents', await port())
  const { token } = await first.data('delos', 'member', 'token', '--uses', '2')
  for (const [i, server] of others.entries())
    await server.data('up', '--join', token, '--name', `s${i + 1}`, '--voter', '--nodes', '0', '--agents', await port())
  await eventually('three voters', 120_000, async () => {
    const { members } = await first.data('delos', 'member', 'ls')
    return (
      members.filter(({ role, trouble }: { role: string; trouble: string | null }) => role === 'voter' && trouble === null).length === 3
    )
  })
  const { token: agentToken } = await first.data('tw', 'node', 'token')
  agent = spawn(process.execPath, [BIN, 'agent', '--name', 'far', '--cpu', '1', '--token', agentToken], {
    env: machine.env,
    cwd: machine.home,
    stdio: 'ignore',
  })
}, 200_000)

afterAll(async () => {
  agent.kill('SIGTERM')
  await machine.end()
  for (const server of servers) await server.end()
}, 120_000)

interface Task {
  pid: number
  version: number
  state: string
}

test(
  'an agent goes to another server when its own is killed: its node is not lost, its tasks stay, and what they ask goes on',
  { timeout: 240_000 },
  async () => {
    const [first, second] = servers as [TestFleet, TestFleet]
    const serversJson = join(machine.root, 'agents/far/servers.json')
    await eventually(
      'it is told of all servers',
      60_000,
      () => existsSync(serversJson) && JSON.parse(readFileSync(serversJson, 'utf8')).servers.length === 3,
    )
    const availability = { max_unavailable: 1, max_surge: 0, min_healthy_time: '0s', consent: 'pull' }
    const main = { command: ['node', PULLING_APP], env: { V: '1', WAIT_MS: '2000' }, isolation: 'plain' }
    const job = { job: 'pull', groups: { main: { count: 1, availability, main } } }
    writeFileSync(join(first.home, 'pull.yaml'), JSON.stringify(job))
    await first.data('tw', 'job', 'run', 'pull.yaml', '--wait', '--timeout', '60s')
    await eventually('the task asked', 20_000, async () =>
      (await first.muster('tw', 'logs', 'pull')).stdout.includes('refused NOT_PERMITTED NOT_PERMITTED'),
    )
    const tasks = async (): Promise<Task[]> => (await second.data('tw', 'ps', 'pull')).tasks
    const [before] = await tasks()

    process.kill(first.serverPid() as number, 'SIGKILL')
    const log = join(machine.root, 'agents/far/agent.log')
    await eventually('another server', 60_000, () => readFileSync(log, 'utf8').split('server connected').length > 2)
    const [node] = await second.data('tw', 'node', 'ls')
    expect(node).toMatchObject({ node: 'far', state: 'ready' })
    expect(await tasks()).toMatchObject([{ pid: before?.pid, state: 'running' }])

    // What is ordered and what is asked go over the new way.
    writeFileSync(join(second.home, 'pull.yaml'), JSON.stringify(job).replace('"V":"1"', '"V":"2"'))
    await second.data('tw', 'job', 'run', 'pull.yaml')
    await eventually('the new version, with the yes of the old', 60_000, async () =>
      (await tasks()).every(({ version, state, pid }) => version === 2 && state === 'running' && pid !== before?.pid),
    )
  },
)
