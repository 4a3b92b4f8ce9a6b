import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DesiredTask } from '../../src/core/contracts/node.ts'
import { desired, lives, sh, TestNode } from './harness.ts'
import { eventually } from '../support/eventually.ts'

describe('a node agent', () => {
  let node: TestNode

  beforeEach(async () => {
    node = await new TestNode().start()
  })
  afterEach(() => node.close())

  it('keeps the pids of its tasks over its own kill -9 and starts none twice (I1, I4)', async () => {
    const script = 'echo started >> starts; exec sleep 300'
    node.server.order([desired(1, sh(script)), desired(2, sh(script, { isolation: 'plain' }))])
    const first = await node.until(1, (task) => task.state === 'running')
    const second = await node.until(2, (task) => task.state === 'running')
    await node.crash()
    node.server.report = null
    expect(lives(first.pid ?? 0)).toBe(true)
    node.startAgent()
    expect(await node.until(1, (task) => task.state === 'running')).toMatchObject({ pid: first.pid, restarts: 0, reason: '' })
    expect(await node.until(2, (task) => task.state === 'running')).toMatchObject({ pid: second.pid, restarts: 0 })
    for (const id of [1, 2]) expect(readFileSync(join(node.paths.tasks, `${id}/work/starts`), 'utf8')).toBe('started\n')
  })

  it('ends what may not run without a server for so long, also when it starts again meanwhile, and nothing else', async () => {
    const fenced = desired(1, sh('exec sleep 300'), { stopAfterMs: 2500 })
    node.server.order([fenced, desired(2, sh('exec sleep 300'))])
    const first = await node.until(1, (task) => task.state === 'running')
    const second = await node.until(2, (task) => task.state === 'running')
    node.server.stop()
    await sleep(1000)
    await node.crash()
    node.startAgent()
    expect(lives(first.pid ?? 0)).toBe(true)
    await eventually('it is ended', 20_000, () => !lives(first.pid ?? 0))
    expect(lives(second.pid ?? 0)).toBe(true)
    node.server.report = null
    await node.server.start()
    expect(await node.until(1, (task) => task.state === 'stopped')).toMatchObject({ pid: null, reason: 'cut-off' })
    expect(await node.until(2, (task) => task.state === 'running')).toMatchObject({ pid: second.pid })
  })

  it('reports the exit code of a task that ended while no agent was there', async () => {
    node.server.order([desired(1, sh('sleep 0.4; exit 7', { restart: { attempts: 0, intervalMs: 1000, delayMs: 10, mode: 'fail' } }))])
    const { pid } = await node.until(1, (task) => task.state === 'running')
    await node.crash()
    node.server.report = null
    await eventually('the task ends', 20_000, () => !lives(pid ?? 0))
    node.startAgent()
    expect(await node.until(1, (task) => task.state === 'failed')).toMatchObject({ reason: 'exit 7', pid: null })
  })

  it('says unknown, and leaves strangers alone, when the pid belongs to another process or another boot (I2)', async () => {
    const plain = { isolation: 'plain', restart: { attempts: 0, intervalMs: 1000, delayMs: 10, mode: 'fail' } } as const
    node.server.order([desired(1, sh('exec sleep 300', plain)), desired(2, sh('exec sleep 300', plain))])
    const one = await node.until(1, (task) => task.state === 'running')
    const two = await node.until(2, (task) => task.state === 'running')
    await node.crash()
    node.server.report = null
    const file = (id: number, name: string): string => join(node.paths.tasks, String(id), name)
    const edit = (id: number, change: (fields: string[]) => string[]): void => {
      for (const name of ['pid', 'shim'])
        writeFileSync(file(id, name), `${change(readFileSync(file(id, name), 'latin1').trim().split(' ')).join(' ')}\n`)
    }
    const original = [readFileSync(file(1, 'pid')), readFileSync(file(2, 'pid'))] as const
    edit(1, ([pid = '', start, boot = '']) => [pid, String(Number(start) + 1), boot])
    edit(2, ([pid = '', start = '']) => [pid, start, '00000000-0000-0000-0000-000000000000'])
    node.startAgent()
    expect(await node.until(1, (task) => task.state === 'failed')).toMatchObject({ reason: 'unknown' })
    expect(await node.until(2, (task) => task.state === 'failed')).toMatchObject({ reason: 'unknown' })
    expect([lives(one.pid ?? 0), lives(two.pid ?? 0)]).toEqual([true, true])
    writeFileSync(file(1, 'pid'), original[0])
    writeFileSync(file(2, 'pid'), original[1])
  })

  it('starts what was journaled but never started, and only once, without a server (I1, I3)', async () => {
    node.server.order([desired(1, sh('echo started >> starts; exec sleep 300'))])
    const { pid } = await node.until(1, (task) => task.state === 'running')
    const file = join(node.paths.tasks, '1/work/starts')
    await eventually('the task starts', 20_000, () => existsSync(file))
    await node.crash()
    node.server.stop()
    // The state a crash between journal and spawn leaves: a recorded attempt without a trace of a process.
    process.kill(pid ?? 0, 'SIGKILL')
    await eventually('the task ends', 20_000, () => !lives(pid ?? 0))
    const { TaskFolder } = await import('../../src/agent/exec/folder.ts')
    await eventually('the shim writes the exit code', 20_000, () => new TaskFolder(node.paths.tasks, 1).exitCode() !== null)
    new TaskFolder(node.paths.tasks, 1).clearStart()
    node.startAgent()
    // No server is there: the agent goes by its journal alone.
    await eventually('the task starts again', 20_000, () => readFileSync(file, 'utf8') !== 'started\n')
    expect(readFileSync(file, 'utf8')).toBe('started\nstarted\n')
  })

  it('killed again and again while it starts tasks, starts each exactly once on a port of its own (I1, I7)', async () => {
    const tasks: DesiredTask[] = []
    for (const pauseMs of [250, 330, 410, 490, 570]) {
      for (const isolation of ['auto', 'plain', 'auto', 'plain'] as const) {
        tasks.push(desired(tasks.length + 1, sh('echo started >> starts; exec sleep 300', { ports: { a: 0 }, isolation })))
      }
      node.server.order(tasks)
      await sleep(pauseMs)
      await node.crash()
      node.server.report = null
      node.startAgent()
    }
    const starts = (id: number): string => join(node.paths.tasks, `${id}/work/starts`)
    await eventually('all run', 15_000, () => tasks.every(({ id }) => node.server.task(id)?.state === 'running' && existsSync(starts(id))))
    expect(tasks.map(({ id }) => [readFileSync(starts(id), 'utf8'), node.server.task(id)?.restarts])).toEqual(
      tasks.map(() => ['started\n', 0]),
    )
    expect(new Set(tasks.map(({ id }) => node.server.task(id)?.ports['a'])).size).toBe(tasks.length)
  })

  it('leaves tasks running when it is told to end, and ends them when told to stop all', async () => {
    node.server.order([desired(1, sh('trap "exit 0" TERM; while :; do sleep 0.05; done'))])
    const { pid } = await node.until(1, (task) => task.state === 'running')
    await node.end('SIGTERM')
    expect(lives(pid ?? 0)).toBe(true)
    node.startAgent()
    node.server.report = null
    await node.until(1, (task) => task.pid === pid)
    expect(JSON.parse((await node.ask('POST', '/stop-all')).text)).toEqual({ stopped: 1 })
    expect(lives(pid ?? 0)).toBe(false)
  })

  it('refuses to be the second agent of a node', async () => {
    node.server.order([desired(1, sh('exec sleep 300'))])
    const { pid } = await node.until(1, (task) => task.state === 'running')
    const first = node.agent
    node.startAgent('ignore')
    const second = node.agent
    await eventually('the second agent exits 5', 20_000, () => second?.exitCode === 5)
    node.agent = first
    expect(lives(pid ?? 0)).toBe(true)
  })
})
