import { createServer } from 'node:net'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DesiredTask, Probe } from '../../src/core/contracts/node.ts'
import { findCgroups } from '../../src/agent/exec/cgroups.ts'
import { desired, isRoot, lives, sh, spec, TestNode } from './harness.ts'
import { eventually } from '../support/eventually.ts'

const hello = join(import.meta.dirname, '../../templates/services/hello')
const readiness = { kind: 'http', path: '/ready', port: 'http', intervalMs: 200, timeoutMs: 500 } as const
const never = { attempts: 0, intervalMs: 1000, delayMs: 10, mode: 'fail' } as const

describe('tasks under an agent', () => {
  const node = new TestNode()
  const orders = new Map<number, DesiredTask>()
  const order = (...tasks: DesiredTask[]): void => {
    for (const task of tasks) orders.set(task.id, task)
    node.server.order([...orders.values()])
  }

  beforeAll(() => node.start())
  afterAll(() => node.close())

  it('run a service: ports are given, readiness decides health, the environment is clean and named', async () => {
    order(
      desired(1, spec(['node', 'server.js'], { cwd: hello, env: { PORT: '{{port.http}}' }, ports: { http: 0 }, readiness }), {
        release: 'r7',
        service: 'hello',
      }),
    )
    const task = await node.until(1, (report) => report.health === 'healthy')
    const port = task.ports['http'] ?? 0
    expect(port).toBeGreaterThanOrEqual(20_000)
    expect(port).toBeLessThan(32_000)
    expect(await (await fetch(`http://127.0.0.1:${port}/x`)).json()).toMatchObject({ task: 'job/group[1]', node: 'n1', version: '1' })
    const env = Object.fromEntries(
      readFileSync(`/proc/${task.pid}/environ`, 'utf8')
        .split('\0')
        .map((pair) => pair.split('=', 2)),
    )
    expect(env).toMatchObject({ MUSTER_PORT_HTTP: String(port), MUSTER_RELEASE: 'r7', MUSTER_SERVICE: 'hello', PORT: String(port) })
    expect(Object.keys(env)).not.toContain('VITEST')
  })

  it('end by their stop signal with their own exit code, then count as stopped', async () => {
    order(desired(2, sh('trap "exit 3" TERM; while :; do sleep 0.02; done')))
    await node.until(2, (task) => task.state === 'running')
    await eventually('pid', 20_000, () => existsSync(join(node.paths.tasks, '2/pid')))
    order(desired(2, sh(''), { want: 'stop' }))
    expect(await node.until(2, (task) => task.state === 'stopped')).toMatchObject({ pid: null })
    order(desired(3, spec(['node', 'server.js'], { cwd: hello, env: { PORT: '{{port.http}}' }, ports: { http: 0 }, readiness })))
    await node.until(3, (task) => task.health === 'healthy')
    order(desired(3, sh(''), { want: 'stop' }))
    expect(await node.until(3, (task) => task.state === 'stopped')).toMatchObject({ reason: 'exit 0' })
  })

  it('that ignore the stop signal are killed with their whole group after the timeout, reason stop-timeout', async () => {
    const script = 'trap "" TERM; sleep 301 & echo $! > child; while :; do sleep 0.05; done'
    order(desired(4, sh(script, { stop: { signal: 'SIGTERM', timeoutMs: 300 }, isolation: 'plain' })))
    const { pid } = await node.until(4, (task) => task.state === 'running')
    const file = join(node.paths.tasks, '4/work/child')
    await eventually('the child', 20_000, () => existsSync(file) && readFileSync(file, 'utf8') !== '')
    const child = Number(readFileSync(file, 'utf8'))
    order(desired(4, sh(''), { want: 'stop' }))
    expect(await node.until(4, (task) => task.state === 'stopped')).toMatchObject({ reason: 'stop-timeout' })
    expect([lives(pid ?? 0), lives(child)]).toEqual([false, false])
  })

  it('restart with growing delays and fail when the attempts are used up', async () => {
    order(desired(5, sh('date +%s%3N >> starts; exit 9', { restart: { attempts: 3, intervalMs: 60_000, delayMs: 100, mode: 'fail' } })))
    expect(await node.until(5, (task) => task.state === 'failed')).toMatchObject({ reason: 'exit 9', restarts: 3 })
    const starts = readFileSync(join(node.paths.tasks, '5/work/starts'), 'utf8').trim().split('\n').map(Number)
    const gaps = starts.slice(1).map((at, i) => at - (starts[i] ?? 0))
    expect(gaps).toHaveLength(3)
    for (const [i, leastMs] of [100, 200, 400].entries()) expect(gaps[i]).toBeGreaterThanOrEqual(leastMs - 2)
  })

  it('restart when liveness fails three times, reason unhealthy', async () => {
    const liveness: Probe = { kind: 'exec', command: ['test', '-e', `${node.paths.tasks}/6/work/well`], intervalMs: 60, timeoutMs: 1000 }
    order(desired(6, sh('touch well; echo x >> starts; exec sleep 300', { liveness })))
    const before = await node.until(6, (task) => task.health === 'healthy')
    const { rmSync } = await import('node:fs')
    rmSync(join(node.paths.tasks, '6/work/well'))
    const after = await node.until(6, (task) => task.restarts === 1 && task.health === 'healthy')
    expect(after.pid).not.toBe(before.pid)
    expect(node.log()).toContain('"reason":"unhealthy"')
  })

  it('whose program does not exist say exit 127 and why', async () => {
    order(desired(7, spec(['no-such-program'], { restart: never })))
    expect(await node.until(7, (task) => task.state === 'failed')).toMatchObject({ reason: 'exit 127' })
    expect(readFileSync(join(node.paths.tasks, '7/err'), 'utf8')).toContain('no-such-program: no such program')
  })

  it('that ask for a fixed port somebody has fail with port-taken', async () => {
    const stranger = createServer()
    const port = await new Promise<number>((resolve) =>
      stranger.listen(0, '127.0.0.1', () => resolve((stranger.address() as { port: number }).port)),
    )
    order(desired(8, sh('exec sleep 300', { ports: { http: port } })))
    expect(await node.until(8, (task) => task.state === 'failed')).toMatchObject({ reason: 'port-taken' })
    stranger.close()
  })

  it('are replaced by a higher incarnation: the old process is gone before the new one starts', async () => {
    order(desired(9, sh('echo 1 >> order; trap "sleep 0.2; echo 2 >> order; exit 0" TERM; while :; do sleep 0.02; done')))
    await eventually('the first starts', 20_000, () => existsSync(join(node.paths.tasks, '9/work/order')))
    order(desired(9, sh('echo 3 >> order; exec sleep 300'), { incarnation: 2 }))
    await node.until(9, (task) => task.incarnation === 2 && task.state === 'running')
    await eventually('the second starts', 20_000, () => readFileSync(join(node.paths.tasks, '9/work/order'), 'utf8').endsWith('3\n'))
    expect(readFileSync(join(node.paths.tasks, '9/work/order'), 'utf8')).toBe('1\n2\n3\n')
  })

  it('that are told to restart and, before the old process is gone, to stop, end and stay ended', async () => {
    const slow = sh('echo x >> starts; trap "sleep 0.6; exit 0" TERM; while :; do sleep 0.02; done')
    order(desired(61, slow))
    const { pid } = await node.until(61, (task) => task.state === 'running')
    const starts = join(node.paths.tasks, '61/work/starts')
    await eventually('it starts', 20_000, () => existsSync(starts))
    order(desired(61, slow, { incarnation: 2 }))
    await node.until(61, (task) => task.state === 'stopping')
    order(desired(61, slow, { incarnation: 2, want: 'stop' }))
    await node.until(61, (task) => task.state === 'stopped')
    expect(lives(pid ?? 0)).toBe(false)
    // Longer than it takes to start one.
    await new Promise((resolve) => setTimeout(resolve, 700))
    expect(readFileSync(starts, 'utf8')).toBe('x\n')
    expect(node.server.task(61)).toMatchObject({ state: 'stopped', pid: null })
  })

  it('that the orders name no more are stopped and forgotten', async () => {
    const task = desired(10, sh('exec sleep 300'))
    order(task)
    const { pid } = await node.until(10, (report) => report.state === 'running')
    orders.delete(10)
    order()
    await eventually('the process ends', 20_000, () => !lives(pid ?? 0))
    await eventually('the report leaves it out', 20_000, () => node.server.task(10) === undefined)
    expect(lives(pid ?? 0)).toBe(false)
  })

  it('give their lines back interleaved, by number, by text and as they come', async () => {
    order(desired(11, sh('echo one; echo two >&2; sleep 0.6; echo three; exec sleep 300')))
    await node.until(11, (task) => task.state === 'running')
    await eventually(
      'the lines',
      20_000,
      () => existsSync(join(node.paths.tasks, '11/out')) && readFileSync(join(node.paths.tasks, '11/out'), 'utf8').includes('three'),
    )
    await eventually('the notes of time', 20_000, () => readFileSync(join(node.paths.tasks, '11/out.times'), 'utf8').split('\n').length > 2)
    const read = async (query: string): Promise<{ stream: string; line: string; time?: number }[]> =>
      (await node.ask('GET', `/logs?task=11${query}`)).text
        .trim()
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as { stream: string; line: string })
    const all = await read('')
    expect(all.map(({ line }) => line).toSorted()).toEqual(['one', 'three', 'two'])
    expect(all[2]).toMatchObject({ stream: 'out', line: 'three' })
    expect((await read('&n=1&stream=out')).map(({ line }) => line)).toEqual(['three'])
    expect((await read('&grep=tw')).map(({ line, stream }) => [line, stream])).toEqual([['two', 'err']])
    expect((await read(`&since=${(all[2]?.time ?? 0) - 10}`)).map(({ line }) => line)).toEqual(['three'])
  })

  it('can be entered: an exec beside the task sees its files and its environment', async () => {
    order(desired(12, sh('echo here > mark; exec sleep 300', { env: { COLOUR: 'green' } })))
    await node.until(12, (task) => task.state === 'running')
    await eventually('the mark', 20_000, () => existsSync(join(node.paths.tasks, '12/work/mark')))
    const { argv, env, cwd } = JSON.parse((await node.ask('GET', '/exec?task=job/group[12]')).text) as {
      argv: string[]
      env: Record<string, string>
      cwd: string
    }
    const { spawnSync } = await import('node:child_process')
    const result = spawnSync('env', [...argv, 'sh', '-c', 'cat mark; echo $COLOUR; exit 4'], { env, cwd, encoding: 'utf8' })
    expect([result.stdout, result.status]).toEqual(['here\ngreen\n', 4])
  })

  it('over their memory ceiling are killed, reason oom', async () => {
    const greedy = ['node', '-e', 'const kept = []; setInterval(() => kept.push(Buffer.alloc(8 << 20, 1)), 5)']
    const limits = { memoryBytes: 64 << 20, memoryMaxBytes: 120 << 20, restart: never }
    order(desired(13, spec(greedy, limits)), desired(14, spec(greedy, { ...limits, isolation: 'plain' })))
    expect(await node.until(13, (task) => task.state === 'failed', 15_000)).toMatchObject({ reason: 'oom' })
    expect(await node.until(14, (task) => task.state === 'failed', 15_000)).toMatchObject({ reason: 'oom' })
  })

  it.skipIf(!isRoot)('have, with root, namespaces and a cgroup of their own, which go with them [needs root]', async () => {
    order(desired(15, sh('echo $$ > inside; ls /proc | grep -c "^[0-9]" > seen; ( setsid sleep 302 & echo $! > stray ); exec sleep 303')))
    const { pid } = await node.until(15, (task) => task.state === 'running')
    const file = (name: string): string => join(node.paths.tasks, '15/work', name)
    await eventually('the stray child', 20_000, () => existsSync(file('stray')) && readFileSync(file('stray'), 'utf8') !== '')
    expect(Number(readFileSync(file('inside'), 'utf8'))).toBeLessThan(100)
    expect(Number(readFileSync(file('seen'), 'utf8'))).toBeLessThan(10)
    expect(readFileSync(`/proc/${pid}/cgroup`, 'utf8')).toMatch(/muster\/[0-9a-f]{10}\/n1\/15/)
    const memory = findCgroups()?.memory ?? ''
    const hash = /muster\/([0-9a-f]{10})/.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1] ?? ''
    const folder = join(memory, 'muster', hash, 'n1/15')
    const strays = (): number =>
      readdirSync('/proc').filter((name) => /^\d+$/.test(name) && lives(Number(name)) && commandLine(name) === 'sleep 302').length
    // It was begun when its number was written; what it is to run may come a moment later.
    await eventually('the stray child runs', 20_000, () => strays() === 1)
    orders.delete(15)
    order()
    await eventually('the cgroup goes', 20_000, () => !existsSync(folder))
    expect(strays()).toBe(0)
  })

  it('run fifty, each started once, on ports of their own, while the first of them waits for an artifact', async () => {
    node.server.missing = 503
    const waits = desired(99, sh('exec sleep 300', { artifact: `sha256:${'0'.repeat(64)}` }))
    const tasks = Array.from({ length: 50 }, (_, i) => desired(100 + i, sh('echo x >> starts; exec sleep 300', { ports: { a: 0, b: 0 } })))
    order(waits, ...tasks)
    await eventually('all run', 90_000, () => tasks.every(({ id }) => node.server.task(id)?.state === 'running'))
    expect(node.server.task(99)).toMatchObject({ state: 'starting', reason: 'artifact', pid: null })
    orders.delete(99)
    const ports = tasks.flatMap(({ id }) => Object.values(node.server.task(id)?.ports ?? {}))
    expect(new Set(ports).size).toBe(100)
    const starts = (): string[] =>
      tasks.map(({ id }) => join(node.paths.tasks, `${id}/work/starts`)).map((file) => (existsSync(file) ? readFileSync(file, 'utf8') : ''))
    await eventually('all have begun', 20_000, () => starts().every((text) => text !== ''))
    expect(new Set(starts())).toEqual(new Set(['x\n']))
    for (const { id } of tasks) orders.delete(id)
    order()
  }, 120_000)
})

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim()
  } catch {
    return ''
  }
}
