import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { gateway, getPrefix } from '../../support/delos-servers.ts'
import { eventually } from '../../support/eventually.ts'
import { BIN } from '../../support/fleet.ts'
import { hasEtcdctl, STORES, type TestStore } from '../../support/stores.ts'

interface Run {
  child: ChildProcess
  output: () => string
  ended: Promise<{ code: number | null; stdout: string; stderr: string }>
}

describe.each(STORES)('on $name', ({ isMissing, make }) => {
  let store: TestStore
  let dir = ''
  beforeAll(async () => {
    if (isMissing) return
    dir = mkdtempSync(join(tmpdir(), 'muster-coordination-'))
    store = await make()
    await store.start()
  })
  const children: ChildProcess[] = []
  afterAll(async () => {
    for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await store?.remove()
    if (dir !== '') rmSync(dir, { recursive: true, force: true })
  })

  const run = (program: string, args: string[], env: NodeJS.ProcessEnv = {}): Run => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', MUSTER_DELOS_ENDPOINTS: store.url, ...env },
    })
    children.push(child)
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (part: Buffer) => (stdout += part.toString()))
    child.stderr.on('data', (part: Buffer) => (stderr += part.toString()))
    return {
      child,
      output: () => stdout,
      ended: new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr }))),
    }
  }
  const muster = (...args: string[]): Run => run(process.execPath, [BIN, 'delos', ...args])
  const etcdctl = (...args: string[]): Run => run('etcdctl', ['--endpoints', store.url, ...args], { ETCDCTL_API: '3' })
  const said = (name: string, { output }: Run, text: string | RegExp): Promise<unknown> =>
    eventually(name, 20_000, () => (typeof text === 'string' ? output().includes(text) : text.test(output())))
  const keys = async (prefix: string): Promise<string[]> => [...(await getPrefix(store.url, prefix)).keys()]

  test.skipIf(isMissing)('of two who stand for election one leads; after kill -9 of it the other follows with a higher token', async () => {
    const observer = muster('elect', 'observe', 'boss', '--events', '2', '--json')
    const first = muster('elect', 'run', 'boss', '--value', 'one', '--ttl', '2s', '--json')
    await said('the first leads', first, '"token"')
    const second = muster('elect', 'run', 'boss', '--value', 'two', '--ttl', '2s', '--', 'sh', '-c', 'echo $MUSTER_ELECT_TOKEN; exit 3')
    await eventually('the second stands', 20_000, async () => (await keys('boss/')).length === 2)
    expect(second.output()).toBe('')
    first.child.kill('SIGKILL')
    const { code, stdout } = await second.ended
    const { data } = JSON.parse(first.output()) as { data: { token: number } }
    expect([code, Number(stdout) > data.token]).toEqual([3, true])
    const leaders = (await observer.ended).stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { value: string }).value)
    expect(leaders).toEqual(['one', 'two'])
    expect(await keys('boss/')).toEqual([])
  })

  test.skipIf(isMissing)('Ctrl-C gives a place up, waiting or held, and exits 130; who is resigned from outside is told', async () => {
    const leader = muster('elect', 'run', 'chief', '--value', 'one', '--json')
    await said('it leads', leader, '"lease"')
    const waiting = muster('elect', 'run', 'chief', '--value', 'two')
    await eventually('the second stands', 20_000, async () => (await keys('chief/')).length === 2)
    waiting.child.kill('SIGINT')
    expect((await waiting.ended).code).toBe(130)
    expect(await keys('chief/')).toHaveLength(1)
    const { data } = JSON.parse(leader.output()) as { data: { lease: string; key: string } }
    expect((await muster('elect', 'resign', 'chief', '--lease', data.lease).ended).stdout).toBe(`stepped down: ${data.key}\n`)
    const over = await leader.ended
    expect([over.code, over.stdout]).toMatchObject([5, expect.stringContaining('DELOS_PLACE_LOST')])
    expect((await muster('elect', 'resign', 'chief', '--lease', data.lease).ended).code).toBe(3)
  })

  test.skipIf(isMissing)('a command that steps down for itself is told to end', async () => {
    const resign = `${process.execPath} ${BIN} delos elect resign short; sleep 60`
    const over = await muster('elect', 'run', 'short', '--value', 'v', '--', 'sh', '-c', resign).ended
    expect([over.code, over.stderr]).toMatchObject([5, expect.stringContaining('was lost while the command ran')])
    expect(await keys('short/')).toEqual([])
  })

  test.skipIf(isMissing)('a group shows who is here and tells of joining and leaving, also by kill -9', async () => {
    const watcher = muster('group', 'watch', 'workers', '--events', '4', '--json')
    const first = muster('group', 'join', 'workers', '--id', 'w1', '--data', 'tree', '--ttl', '2s', '--json')
    await said('w1 joined', first, '"token"')
    expect((await muster('group', 'join', 'workers', '--id', 'w1', '--', 'true').ended).code).toBe(5)
    const second = muster('group', 'join', 'workers', '--id', 'w2', '--', 'sh', '-c', `touch ${dir}/w2; sleep 60`)
    await eventually('w2 joined', 20_000, () => existsSync(join(dir, 'w2')))
    const list = JSON.parse((await muster('group', 'ls', 'workers', '--json').ended).stdout) as {
      data: { members: { id: string; data: string }[] }
    }
    expect(list.data.members.map(({ id, data }) => [id, data])).toEqual([
      ['w1', 'tree'],
      ['w2', ''],
    ])
    first.child.kill('SIGKILL')
    await eventually('w1 is gone', 15_000, async () => (await keys('workers/')).length === 1)
    second.child.kill('SIGINT')
    expect((await second.ended).code).toBe(130)
    const events = (await watcher.ended).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { what: string; member: { id: string; data: string } })
    expect(events.map(({ what, member }) => [what === 'here' ? 'joined' : what, member.id, member.data])).toEqual([
      ['joined', 'w1', 'tree'],
      ['joined', 'w2', ''],
      ['left', 'w1', 'tree'],
      ['left', 'w2', ''],
    ])
  })

  test.skipIf(isMissing)('a barrier opens for all at once when enough are here, and a round ends when all have left', async () => {
    const script = `echo in >> ${dir}/round; sleep 0.3; echo out >> ${dir}/round`
    const enter = (): Run => muster('barrier', 'enter', 'phase', '--count', '2', '--timeout', '20s', '--', 'sh', '-c', script)
    const first = enter()
    await eventually('one is here', 20_000, async () => (await keys('phase/')).length === 1)
    expect(existsSync(join(dir, 'round'))).toBe(false)
    expect((await muster('barrier', 'enter', 'phase', '--count', '3').ended).code).toBe(5)
    const second = enter()
    expect([(await first.ended).code, (await second.ended).code]).toEqual([0, 0])
    expect(readFileSync(join(dir, 'round'), 'utf8').match(/in/g)).toHaveLength(2)
    expect(await keys('phase/')).toEqual([])
    const late = await muster('barrier', 'enter', 'phase', '--count', '2', '--timeout', '300ms').ended
    expect([late.code, late.stderr]).toMatchObject([5, expect.stringContaining('DELOS_STILL_WAITING')])
    expect(await keys('phase/')).toEqual([])
  })

  test.skipIf(isMissing)(
    'a barrier that is held lets nobody pass until it is released; too few are let in by it, and leave by their lease',
    async () => {
      expect((await muster('barrier', 'hold', 'go', '--reason', 'not yet').ended).code).toBe(0)
      expect((await muster('barrier', 'hold', 'go').ended).code).toBe(5)
      expect((await muster('barrier', 'enter', 'go', '--timeout', '300ms').ended).code).toBe(5)
      const passing = muster('barrier', 'enter', 'go')
      const staying = muster('barrier', 'enter', 'go', '--count', '9', '--stay', '--ttl', '60s', '--json')
      await eventually('one of nine is here', 20_000, async () => (await keys('go/in/')).length === 1)
      const released = await muster('barrier', 'release', 'go', '--json').ended
      expect(JSON.parse(released.stdout)).toMatchObject({ data: { letIn: 1 } })
      expect((await passing.ended).stdout).toBe('go is open\n')
      const { data } = JSON.parse((await staying.ended).stdout) as { data: { lease: string } }
      expect(await keys('go/in/')).toEqual([`go/in/${data.lease}`])
      expect((await muster('barrier', 'leave', 'go', '--lease', data.lease, '--timeout', '10s').ended).code).toBe(0)
      expect(await keys('go')).toEqual([])
    },
  )

  test.skipIf(isMissing)('no more run at once than a semaphore has permits', async () => {
    const script = `echo + >> ${dir}/permits; sleep 0.2; echo - >> ${dir}/permits`
    const runs = [1, 1, 2, 1].map((permits) =>
      muster(
        'semaphore',
        'run',
        'pool',
        '--limit',
        '2',
        '--permits',
        String(permits),
        '--',
        'sh',
        '-c',
        permits === 2 ? `${script}; ${script}` : script,
      ),
    )
    for (const each of runs) expect((await each.ended).code).toBe(0)
    let [now, most] = [0, 0]
    for (const line of readFileSync(join(dir, 'permits'), 'utf8').trim().split('\n')) {
      now += line === '+' ? 1 : -1
      most = Math.max(most, now)
    }
    expect([now, most <= 2]).toEqual([0, true])
    expect((await muster('semaphore', 'run', 'pool', '--limit', '2', '--permits', '3', '--', 'true').ended).code).toBe(5)
    expect(await keys('pool/')).toEqual([])
  })

  test.skipIf(isMissing)('numbers of a sequence are given once, also when all children are gone', async () => {
    const makes = [1, 2, 3].map(() => muster('sequence', 'make', 'queue', '--prefix', 'job-'))
    const made = await Promise.all(makes.map(async ({ ended }) => (await ended).stdout.trim()))
    expect(made.toSorted()).toEqual(['queue/job-0000000000', 'queue/job-0000000001', 'queue/job-0000000002'])
    await gateway(store.url, 'kv/deleterange', { key: btoa('queue/'), range_end: btoa('queue0') })
    expect(await keys('queue/')).toEqual([])
    expect((await muster('sequence', 'make', 'queue').ended).stdout).toBe('queue/0000000003\n')
  })

  test.skipIf(isMissing)('an ephemeral key has one maker and goes with its command', async () => {
    const made = muster('ephemeral', 'run', 'node/a', '--value', 'v', '--', 'sh', '-c', `touch ${dir}/made; sleep 60`)
    await eventually('it is made', 20_000, () => existsSync(join(dir, 'made')))
    expect((await getPrefix(store.url, 'node/')).get('node/a')?.value).toBe('v')
    expect((await muster('ephemeral', 'run', 'node/a', '--', 'true').ended).code).toBe(5)
    made.child.kill('SIGTERM')
    expect((await made.ended).code).toBe(143)
    expect(await keys('node/')).toEqual([])
  })

  test.skipIf(isMissing)('a lock of the store is shared by those who share it, and excludes who wants it alone', async () => {
    const lock = (...args: string[]): Run => muster('lock', 'run', 'db', '--endpoints', store.url, ...args)
    const reader = lock('--shared', '--', 'sh', '-c', `touch ${dir}/reader; sleep 60`)
    await eventually('a reader runs', 20_000, () => existsSync(join(dir, 'reader')))
    expect((await lock('--shared', '--wait', '5s', '--', 'echo', 'too').ended).stdout).toBe('too\n')
    const refused = await lock('--wait', '0s', '--json', '--', 'true').ended
    expect([refused.code, refused.stdout]).toMatchObject([5, expect.stringContaining('DELOS_LOCK_HELD')])
    const writer = lock('--', 'sh', '-c', 'echo $MUSTER_LOCK_KEY')
    await eventually('a writer waits', 20_000, async () => (await keys('db/')).length === 2)
    reader.child.kill('SIGTERM')
    expect((await reader.ended).code).toBe(143)
    expect((await writer.ended).stdout).toMatch(/^db\/[0-9a-f]+\n$/)
  })

  test.skipIf(isMissing || !hasEtcdctl)(
    `etcdctl contends for the same locks and elections${hasEtcdctl ? '' : ' (etcdctl is not installed)'}`,
    async () => {
      const theirs = etcdctl('lock', 'both')
      await said('etcdctl has the lock', theirs, 'both/')
      const ours = muster('lock', 'run', 'both', '--endpoints', store.url, '--', 'sh', '-c', `touch ${dir}/both; sleep 60`)
      await eventually('ours waits', 20_000, async () => (await keys('both/')).length === 2)
      expect(existsSync(join(dir, 'both'))).toBe(false)
      theirs.child.kill('SIGTERM')
      await eventually('ours has it', 20_000, () => existsSync(join(dir, 'both')))
      const again = etcdctl('lock', 'both', 'echo', 'theirs')
      await eventually('etcdctl waits', 20_000, async () => (await keys('both/')).length === 2)
      expect(again.output()).toBe('')
      ours.child.kill('SIGINT')
      expect((await ours.ended).code).toBe(130)
      expect((await again.ended).stdout).toContain('theirs')

      const leader = etcdctl('elect', 'shared', 'theirs')
      await said('etcdctl leads', leader, 'theirs')
      const next = muster('elect', 'run', 'shared', '--value', 'ours')
      await eventually('ours stands', 20_000, async () => (await keys('shared/')).length === 2)
      leader.child.kill('SIGTERM')
      await said('ours leads', next, 'leading shared')
      const listener = etcdctl('elect', '--listen', 'shared')
      await said('etcdctl sees ours lead', listener, 'ours')
      next.child.kill('SIGINT')
      expect((await next.ended).code).toBe(130)
      listener.child.kill('SIGTERM')
      await listener.ended
    },
  )

  test.skipIf(isMissing)('a command is stopped before the lease can end once no server answers', async () => {
    const file = join(dir, 'stopped')
    const running = muster('elect', 'run', 'alone', '--value', 'v', '--ttl', '2s', '--', 'sh', '-c', `echo $$ > ${file}; sleep 60`)
    await eventually('it runs', 20_000, () => existsSync(file) && readFileSync(file, 'utf8') !== '')
    await store.kill()
    const { code, stderr } = await running.ended
    expect([code, stderr]).toMatchObject([5, expect.stringContaining('DELOS_PLACE_LOST')])
    expect(() => process.kill(Number(readFileSync(file, 'utf8')), 0)).toThrow('ESRCH')
    const nobody = await muster('group', 'ls', 'workers').ended
    expect([nobody.code, nobody.stderr]).toMatchObject([6, expect.stringContaining('UNAVAILABLE')])
  })
})
