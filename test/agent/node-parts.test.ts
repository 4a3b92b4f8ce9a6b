import { appendFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, statSync, writeFileSync } from 'node:fs'
import { spawn, spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { probeCapabilities } from '../../src/agent/capabilities.ts'
import { findCgroups, TaskCgroup } from '../../src/agent/exec/cgroups.ts'
import { findProgram } from '../../src/agent/exec/programs.ts'
import { exitReason } from '../../src/agent/exec/signals.ts'
import { Journal, type TaskRecord } from '../../src/agent/journal.ts'
import { ServerLink } from '../../src/agent/link.ts'
import { localWay } from '../../src/agent/server-way.ts'
import { BLOCK_SIZE, isPortFree, PORTS_FIRST, PORTS_LAST, PortBlocks } from '../../src/agent/ports.ts'
import { createLogger } from '../../src/platform/logger.ts'
import { desired, FakeServer, isRoot, sh } from './harness.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/free-port.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mu-node-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

describe('the port blocks of a node', () => {
  it('are disjoint between agents, come back after a restart, and skip ports somebody else has (I7)', async () => {
    const one = new PortBlocks(join(root, 'one.json'))
    const two = new PortBlocks(join(root, 'two.json'))
    await one.open()
    await two.open()
    const taken = await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 ? one : two).take()))
    expect(new Set(taken).size).toBe(20)
    for (const port of taken) expect(port ?? 0).toSatisfy((value: number) => value > PORTS_FIRST && value <= PORTS_LAST)
    const base = (JSON.parse(readFileSync(join(root, 'one.json'), 'utf8')) as { blocks: number[] }).blocks[0] ?? 0
    one.close()
    const stranger = createServer().listen(base + 1, '127.0.0.1')
    await new Promise((resolve) => stranger.once('listening', resolve))
    const again = new PortBlocks(join(root, 'one.json'))
    await again.open()
    // A task of the dead agent keeps its port although nobody listens on it at the moment.
    again.adopt({ http: base + 2 })
    expect(await again.take()).toBe(base + 3)
    expect(await isPortFree(base)).toBe(false)
    stranger.close()
    again.close()
    two.close()
  })

  it('grow by a block when the first is used up', async () => {
    const blocks = new PortBlocks(join(root, 'ports.json'))
    await blocks.open()
    const ports = new Set<number | null>()
    for (let i = 0; i < BLOCK_SIZE + 5; i += 1) ports.add(await blocks.take())
    expect(ports.size).toBe(BLOCK_SIZE + 5)
    expect((JSON.parse(readFileSync(join(root, 'ports.json'), 'utf8')) as { blocks: number[] }).blocks).toHaveLength(2)
    blocks.close()
  })
})

describe('the journal', () => {
  const record = (id: number, attempt: number): TaskRecord => ({
    v: 1,
    id,
    desired: desired(id, sh('true')),
    attempt,
    ports: { http: 20_001 },
    restarts: 0,
    restartTimes: [],
    ended: null,
    oomKills: 0,
    isIsolated: false,
    hasCgroup: false,
  })

  it('gives back the last record of each task, whatever a crash cut off at its end', async () => {
    const file = join(root, 'journal')
    const journal = new Journal(file)
    await Promise.all([journal.put(record(1, 1)), journal.put(record(2, 1)), journal.put(record(1, 2)), journal.put(record(3, 1))])
    await journal.forget(3)
    journal.close()
    const whole = statSync(file).size
    appendFileSync(file, JSON.stringify(record(1, 3)))
    truncateSync(file, whole + 40)
    const after = new Journal(file)
    expect(after.records().map(({ id, attempt }) => [id, attempt])).toEqual([
      [1, 2],
      [2, 1],
    ])
    after.close()
  })

  it.skipIf(!isRoot)('says so when the disk is full, and goes on once there is room [needs root to mount a small disk]', async () => {
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', root]).status).toBe(0)
    try {
      const journal = new Journal(join(root, 'journal'))
      await journal.put(record(1, 1))
      writeFileSync(join(root, 'ballast'), Buffer.alloc(52 * 1024))
      const failed = await Promise.all(
        Array.from({ length: 100 }, (_, i) =>
          journal.put(record(2, i)).then(
            () => false,
            (error: NodeJS.ErrnoException) => error.code === 'ENOSPC',
          ),
        ),
      )
      expect(failed.includes(true)).toBe(true)
      rmSync(join(root, 'ballast'))
      await journal.put(record(3, 7))
      journal.close()
      const after = new Journal(join(root, 'journal'))
      expect(after.records().find(({ id }) => id === 1)?.attempt).toBe(1)
      expect(after.records().find(({ id }) => id === 3)?.attempt).toBe(7)
      after.close()
    } finally {
      spawnSync('umount', [root])
    }
  })
})

describe('the link to the server', () => {
  it('reports a change at once, outlives the server and finds the next one', async () => {
    const server = new FakeServer(join(root, 'muster.sock'))
    const positions: number[] = []
    const identity = {
      node: 'n1',
      bootId: '',
      pid: 1,
      region: '',
      zone: '',
      rack: '',
      address: '',
      cpuMilli: 0,
      memoryBytes: 0,
      attributes: {},
    }
    let [seq, hash] = [0, 1]
    const link = new ServerLink({
      way: localWay(server.socket),
      node: 'n1',
      life: { bootId: 'b', instance: 1 },
      log: createLogger(null),
      receive: (message) => message.kind === 'orders' && positions.push(message.position),
      answered: () => {},
      relaying: null,
      isFenced: () => false,
      report: () => ({ identity, instance: 1, seq: (seq += 1), position: 0, meshPosition: 0, gateway: null, tasks: [], faults: [], hash }),
      beat: () => ({ seq: (seq += 1), hash }),
    })
    link.start()
    await server.start()
    await eventually('the first orders', 20_000, () => positions.length === 1 && server.report !== null)
    // Five changes one after the other: at the beat of a second alone, their reports would take four seconds at least.
    const began = performance.now()
    for (let i = 0; i < 5; i += 1) {
      const before = server.reports
      link.reportSoon()
      link.reportSoon()
      await eventually('a report', 20_000, () => server.reports > before)
    }
    expect(performance.now() - began).toBeLessThan(3500)
    server.stop()
    await eventually('the loss is noticed', 20_000, () => !link.isConnected)
    await server.start()
    await eventually('orders again', 20_000, () => link.isConnected && positions.length === 2)
    // A server that knows no beats is told everything each second.
    const reports = server.reports
    await eventually('reports go on', 20_000, () => server.reports >= reports + 2)

    server.stop()
    server.takesBeats = true
    await eventually('the loss is noticed', 20_000, () => !link.isConnected)
    await server.start()
    await eventually('beats', 20_000, () => server.beats.length >= 2)
    const before = server.reports
    hash = 2
    await eventually('what is new is reported', 20_000, () => server.report?.hash === 2)
    await eventually('beats of the new', 20_000, () => server.beats.at(-1) === 2)
    expect(server.reports).toBe(before + 1)
    server.askReport()
    await eventually('what is asked for is told', 20_000, () => server.reports === before + 2)
    link.stop()
    server.stop()
  })
})

describe('cgroups', () => {
  it('are found by controller on v1, on v2 and on machines with both', () => {
    writeFileSync(join(root, 'cgroup.controllers'), 'cpuset cpu io memory pids\n')
    const line = (point: string, type: string, options: string): string => `30 23 0:26 / ${point} rw,nosuid - ${type} none ${options}`
    const v1 = [line('/sys/fs/cgroup/memory', 'cgroup', 'rw,memory'), line('/sys/fs/cgroup/cpu,cpuacct', 'cgroup', 'rw,cpu,cpuacct')]
    const v2 = line(root, 'cgroup2', 'rw')
    expect(findCgroups(v2)).toMatchObject({ version: 2, cpu: root, memory: root, pids: root })
    expect(findCgroups([...v1, v2].join('\n'))).toEqual({
      version: 1,
      cpu: '/sys/fs/cgroup/cpu,cpuacct',
      memory: '/sys/fs/cgroup/memory',
      pids: null,
      cpuacct: '/sys/fs/cgroup/cpu,cpuacct',
    })
    expect(findCgroups('')).toBeNull()
  })

  it('of version 2 get their limits in its files and words', () => {
    const mounts = { version: 2, cpu: root, memory: root, pids: root, cpuacct: root } as const
    const cgroup = new TaskCgroup(mounts, 'muster/abc/n1', 7)
    cgroup.create({ cpuMilli: 500, memoryMaxBytes: 1024 ** 2 })
    const folder = join(root, 'muster/abc/n1/7')
    expect(Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]))).toEqual({
      'memory.max': '1048576',
      'memory.swap.max': '0',
      'memory.oom.group': '1',
      'cpu.weight': '50',
      'pids.max': '4096',
    })
    expect(readFileSync(join(root, 'muster/abc/n1/cgroup.subtree_control'), 'utf8')).toBe('+pids')
    expect(existsSync(join(folder, 'cgroup.subtree_control'))).toBe(false)
    writeFileSync(join(folder, 'memory.events'), 'low 0\noom 2\noom_kill 1\n')
    expect(cgroup.oomKills()).toBe(1)
  })
})

describe('small parts', () => {
  it('programs are looked for as execvp does, and only what can be run is found', () => {
    writeFileSync(join(root, 'plain'), '', { mode: 0o600 })
    writeFileSync(join(root, 'tool'), '', { mode: 0o700 })
    expect(findProgram('tool', `/nowhere:${root}`, '/')).toBe(join(root, 'tool'))
    expect(findProgram('./tool', '/nowhere', root)).toBe(join(root, 'tool'))
    expect(findProgram('plain', root, '/')).toBeNull()
    expect(findProgram('tool', '/nowhere', root)).toBeNull()
  })

  it('exit codes are named as a shell counts them', () => {
    expect([0, 3, 137, 143, 255].map(exitReason)).toEqual(['exit 0', 'exit 3', 'signal SIGKILL', 'signal SIGTERM', 'exit 255'])
  })

  it('every capability this machine lacks says what that costs, and probing leaves nothing behind', () => {
    const before = readdirSync(root)
    const capabilities = probeCapabilities(root)
    for (const { isThere, cost, name } of capabilities) expect([name, isThere, cost !== '']).toEqual([name, isThere, !isThere])
    expect(capabilities.find(({ name }) => name === 'task shim')).toMatchObject({ isThere: true, isNeeded: true })
    expect(readdirSync(root)).toEqual(before)
  })
})

describe('the template service hello', () => {
  it('says its version, fails the share it is told to, and answers what has begun when it is stopped', async () => {
    const file = join(import.meta.dirname, '../../templates/services/hello/server.js')
    const port = await freePort()
    const child = spawn(process.execPath, [file], {
      env: { PORT: String(port), FAIL_RATE: '0.5', LATENCY_MS: '150', MUSTER_TASK: 'hello/api[0]' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
    await new Promise((resolve) => child.stdout.once('data', resolve))
    const url = `http://127.0.0.1:${port}/`
    const statuses = await Promise.all(Array.from({ length: 60 }, () => fetch(url).then((response) => response.status)))
    expect(new Set(statuses)).toEqual(new Set([200, 500]))
    const running = fetch(url).then((response) => response.json() as Promise<{ version: string; task: string }>)
    await new Promise((resolve) => setTimeout(resolve, 50))
    child.kill('SIGTERM')
    expect(await running).toMatchObject({ version: '1', task: 'hello/api[0]' })
    expect(await ended).toBe(0)
  })
})
