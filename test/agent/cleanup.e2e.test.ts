import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tar from 'tar'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { cleanupNode } from '../../src/agent/cleanup.ts'
import { desired, isRoot, lives, sh, spec, TestNode } from './harness.ts'
import { eventually } from '../support/eventually.ts'

describe('a node whose agent is gone', () => {
  let node: TestNode
  beforeEach(async () => {
    node = await new TestNode().start()
  })
  afterEach(() => node.close())

  it('is cleaned of tasks, their children, faults, proxy, cgroups and sockets; a living agent is left alone', async () => {
    const script = 'sleep 304 & echo $! > child; exec sleep 305'
    node.server.order([desired(1, sh(script)), desired(2, sh(script, { isolation: 'plain' }))])
    const pids: number[] = []
    for (const id of [1, 2]) {
      pids.push((await node.until(id, (task) => task.state === 'running')).pid ?? 0)
      const file = join(node.paths.tasks, `${id}/work/child`)
      await eventually('the child', 20_000, () => existsSync(file) && readFileSync(file, 'utf8') !== '')
      // In a pid namespace the number means nothing outside; the group of the plain one is enough.
      if (id === 2) pids.push(Number(readFileSync(file, 'utf8')))
    }
    await eventually('a proxy', 20_000, () => typeof node.server.report?.gateway === 'string')
    const proxy = (JSON.parse(readFileSync(join(node.paths.root, 'proxy.json'), 'utf8')) as { pid: number }).pid
    const cgroup = /memory:(\/muster\/\S+)\/n1\/1$/m.exec(readFileSync(`/proc/${pids[0]}/cgroup`, 'utf8'))?.[1]
    expect(await cleanupNode(node.paths)).toEqual({ tasks: 0, faults: 0, cgroups: 0, proxy: false })
    const fault = {
      id: 'r1/1',
      run: 'r1',
      fault: 'legion.pause',
      task: 2,
      incarnation: 1,
      arguments: {},
      untilMs: Date.now() + 60_000,
      leaseMs: 60_000,
    }
    node.server.order(node.server.tasks, [{ ...fault, want: 'armed' }])
    await eventually('armed', 20_000, () => node.server.report?.faults[0]?.state === 'armed')
    await node.crash()
    expect(pids.map(lives)).toEqual([true, true, true])
    const cleaned = await cleanupNode(node.paths)
    expect(cleaned).toMatchObject({ tasks: 2, faults: 1, proxy: true })
    // They had the time to end by their stop signal.
    expect(readFileSync(join(node.paths.tasks, '2/exit'), 'utf8')).toBe('143\n')
    expect([...pids, proxy].map(lives)).toEqual([false, false, false, false])
    expect([node.paths.socket, node.paths.apiSocket, node.paths.proxySocket].map((path) => existsSync(path))).toEqual([false, false, false])
    expect(cgroup !== undefined && existsSync(join('/sys/fs/cgroup/memory', cgroup))).toBe(false)
    expect(await cleanupNode(node.paths)).toEqual({ tasks: 0, faults: 0, cgroups: 0, proxy: false })
  })

  it('gives its tasks to nobody: an artifact with the wrong bytes never runs, one with the right bytes runs from its root', async () => {
    const source = mkdtempSync(join(tmpdir(), 'mu-release-'))
    writeFileSync(join(source, 'main.sh'), 'pwd; touch here && echo written; echo release $MUSTER_RELEASE; exec sleep 300')
    await tar.c({ file: join(source, '../release.tar'), cwd: source, gzip: true }, ['.'])
    const bytes = readFileSync(join(source, '../release.tar'))
    rmSync(source, { recursive: true })
    rmSync(join(source, '../release.tar'))
    const hex = createHash('sha256').update(bytes).digest('hex')
    const wrong = createHash('sha256').update('something else').digest('hex')
    node.server.artifacts.set(hex, bytes)
    node.server.artifacts.set(wrong, bytes)
    const never = { attempts: 0, intervalMs: 1000, delayMs: 10, mode: 'fail' } as const
    node.server.order([
      desired(1, spec(['sh', 'main.sh'], { artifact: `sha256:${hex}` }), { release: 'r2' }),
      desired(2, spec(['sh', 'main.sh'], { artifact: `sha256:${wrong}`, restart: never })),
    ])
    expect(await node.until(2, (task) => task.state === 'failed')).toMatchObject({ reason: 'artifact', pid: null })
    await node.until(1, (task) => task.state === 'running')
    const out = join(node.paths.tasks, '1/out')
    await eventually('its output', 20_000, () => readFileSync(out, 'utf8').includes('release'))
    const folder = join(node.paths.root, 'artifacts', hex)
    // With namespaces the shared folder cannot be written by one of its tasks.
    const written = isRoot && node.server.report?.identity.attributes['isolation'] === 'namespaces' ? '' : 'written\n'
    expect(readFileSync(out, 'utf8')).toBe(`${folder}\n${written}release r2\n`)
    expect(readdirSync(join(node.paths.root, 'artifacts'))).toEqual([hex])
    node.server.order([])
    await eventually('the unused artifact goes', 20_000, () => !existsSync(folder))
  })
})

describe.skipIf(!isRoot)('a node whose disk is full [needs root to mount a small disk]', () => {
  let node: TestNode
  beforeAll(() => {
    node = new TestNode([], (root) => spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'none', root]))
  })
  afterAll(async () => {
    await node.close().catch(() => {})
    spawnSync('umount', ['-l', node.root])
    rmSync(node.root, { recursive: true, force: true })
  })

  it('keeps its tasks, adopts them, starts nothing new and says why, and goes on once there is room', async () => {
    expect(readFileSync('/proc/mounts', 'utf8')).toContain(` ${node.root} tmpfs `)
    await node.start()
    node.server.order([desired(1, sh('exec sleep 300'))])
    const { pid } = await node.until(1, (task) => task.state === 'running')
    const ballast = join(node.root, 'ballast')
    spawnSync('sh', ['-c', `cat /dev/zero > ${ballast} 2> /dev/null`])
    await node.crash()
    node.server.report = null
    node.startAgent()
    expect(await node.until(1, (task) => task.state === 'running')).toMatchObject({ pid, restarts: 0 })
    node.server.order([desired(1, sh('exec sleep 300')), desired(2, sh('exec sleep 300'))])
    expect(await node.until(2, (task) => task.reason === 'disk-full')).toMatchObject({ state: 'starting', restarts: 0 })
    rmSync(ballast)
    await node.until(2, (task) => task.state === 'running')
    expect(node.server.task(1)).toMatchObject({ pid })
  })
})
