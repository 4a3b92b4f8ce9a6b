import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { userBucket } from '../../../src/core/kernel/hash.ts'
import { openDelosServer, type DelosServer } from '../../server/delos/delos-server.ts'
import { eventually } from '../../support/eventually.ts'
import { BIN } from '../../support/fleet.ts'

let server: DelosServer
beforeAll(async () => {
  server = await openDelosServer()
})
afterAll(() => server.close())

interface Result {
  code: number | null
  stdout: string
  stderr: string
}

function start(args: readonly string[], stdin = ''): { child: ChildProcess; ended: Promise<Result>; stdout: () => string } {
  const child = spawn(process.execPath, [BIN, 'delos', ...args], { env: { ...server.env, NO_COLOR: '1' }, stdio: 'pipe' })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdin.end(stdin)
  return { child, stdout: () => stdout, ended: new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr }))) }
}

const muster = (...args: string[]): Promise<Result> => start(args).ended

function file(name: string, content: string | Uint8Array): string {
  const path = join(server.dir, name)
  writeFileSync(path, content)
  return path
}

test('a text is set, read back byte for byte, and a stale --expect exits with 5 and both versions', { timeout: 120_000 }, async () => {
  const set = await start(['config', 'set', 'web', '-f', '-', '--yes'], 'retries = 3\n# é\n').ended
  expect(set).toMatchObject({ code: 0, stdout: 'web 1 is active (new; +2 -0 lines)\n' })
  expect(await muster('config', 'get', 'web')).toMatchObject({ code: 0, stdout: 'retries = 3\n# é\n' })
  const stale = await start(['config', 'set', 'web', '-f', '-', '--yes', '--expect', '7'], 'x').ended
  expect(stale.code).toBe(5)
  expect(stale.stderr).toContain('web is at version 1, expected version 7')
  expect((await muster('config', 'get', 'none')).code).toBe(3)
  const binary = await muster('config', 'set', 'web', '-f', file('binary', Uint8Array.of(0x61, 0xff)), '--yes')
  expect(binary.code).toBe(2)
  expect(binary.stderr).toContain('is not UTF-8 text')
})

test('a plan changes nothing, and does exactly what it showed when it is applied', { timeout: 120_000 }, async () => {
  const path = file('plan.conf', 'a\n')
  const planned = await muster('config', 'set', 'planned', '-f', path, '--plan', '--json')
  expect(planned.code).toBe(0)
  expect((await muster('config', 'get', 'planned')).code).toBe(3)
  const { id } = (JSON.parse(planned.stdout) as { data: { id: string } }).data
  expect((await muster('config', 'set', 'planned', '-f', path, '--apply', id)).code).toBe(0)
  expect((await muster('config', 'get', 'planned')).stdout).toBe('a\n')
  expect((await muster('config', 'set', 'planned', '-f', path, '--apply', id)).code, 'things moved on').toBe(5)
})

test(
  'YAML with a schema is kept as JSON, and what does not fit is refused, also by a schema set before',
  { timeout: 120_000 },
  async () => {
    const schema = file('limits.schema.json', '{"type":"object","required":["rps"],"properties":{"rps":{"type":"integer","minimum":1}}}')
    const set = await muster('config', 'set', 'limits', '-f', file('limits.yaml', '# per host\nrps: 50\n'), '--schema', schema, '--yes')
    expect(set.code).toBe(0)
    expect(set.stderr).toContain('comments of the YAML file are not')
    expect(JSON.parse((await muster('config', 'get', 'limits')).stdout)).toEqual({ rps: 50 })
    const misfit = await muster('config', 'set', 'limits', '-f', file('bad.yaml', 'rps: 0\n'), '--yes')
    expect(misfit.code).toBe(2)
    expect(misfit.stderr).toContain('rps: must be at least 1, is 0')
  },
)

test('a trial reaches its share, is judged, and the watch tells each step once, over a restart', { timeout: 240_000 }, async () => {
  const set = (body: string, ...more: string[]): Promise<Result> =>
    start(['config', 'set', 'trial', '-f', '-', '--yes', ...more], body).ended
  const from = String((await server.client.call<{ tail: number }>('delos.log.ls', { limit: 1 })).data.tail)
  const watch = start(['config', 'watch', 'trial', '--from', from, '--events', '5', '--json'])
  await set('a\n')
  expect((await set('b\n', '--canary', '40%')).stdout).toContain('trial 2 is on trial with 40 % of its readers')
  const versions = await Promise.all(
    Array.from({ length: 200 }, async (_, i) =>
      server.client.call<{ version: number }>('delos.config.get', { name: 'trial', reader: `host-${i}` }).then(({ data }) => data.version),
    ),
  )
  const share = versions.filter((version) => version === 2).length
  expect(share).toBeGreaterThan(45)
  expect(share).toBeLessThan(115)
  expect((await set('c\n')).stderr).toContain('is on trial')
  expect((await muster('config', 'diff', 'trial')).stdout).toBe('--- trial 1\n+++ trial 2\n@@ -1,1 +1,1 @@\n-a\n+b\n')
  await eventually('two changes are told', 20_000, () => watch.stdout().split('\n').length >= 3)
  await server.stop()
  await server.start()
  expect((await muster('config', 'judge', 'trial', '2', 'pass', '--reason', 'p99 as before')).stdout).toBe('trial 2 is active\n')
  expect((await muster('config', 'rollback', 'trial')).stdout).toBe('trial 2 is rolled back; 1 is active\n')
  const { code, stdout } = await watch.ended
  expect(code).toBe(0)
  const told = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { change: string; version: number; to?: number })
  expect(told.map(({ change, version, to }) => [change, version, to ?? null])).toEqual([
    ['active', 1, null],
    ['on-trial', 2, null],
    ['judged', 2, null],
    ['active', 2, null],
    ['rolled-back', 2, 1],
  ])
  const history = await muster('config', 'history', 'trial')
  expect(history.stdout).toMatch(/2 +rolled-back .* pass/)
})

test('a reader is told the version that it has, in a trial too, over a restart of the server', { timeout: 240_000 }, async () => {
  const set = (body: string, ...more: string[]): Promise<Result> =>
    start(['config', 'set', 'read', '-f', '-', '--yes', ...more], body).ended
  await set('a\n')
  const inTrial = Array.from({ length: 100 }, (_, i) => `host-${i}`).find((reader) => userBucket(reader, 'read@2') < 500_000) ?? ''
  const outside = Array.from({ length: 100 }, (_, i) => `host-${i}`).find((reader) => userBucket(reader, 'read@2') >= 500_000) ?? ''
  const watches = [inTrial, outside].map((reader, i) =>
    start(['config', 'watch', 'read', '--reader', reader, '--events', i === 0 ? '3' : '2', '--json']),
  )
  await eventually('both have the first', 20_000, () => watches.every((one) => one.stdout().includes('"version":1')))
  await set('b\n', '--canary', '50%')
  await eventually('one has the second', 20_000, () => watches[0]?.stdout().includes('"state":"proposed"'))
  await server.stop()
  await server.start()
  await muster('config', 'rollback', 'read')
  await set('c\n')
  const told = await Promise.all(
    watches.map(async ({ ended }) =>
      (await ended).stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { version: number; body: string })
        .map(({ version, body }) => `${version} ${body.trim()}`),
    ),
  )
  expect(told[0]?.slice(0, 2)).toEqual(['1 a', '2 b'])
  expect(told[1]).toEqual(['1 a', '3 c'])
  expect((await muster('config', 'watch', '--reader', 'x')).code).toBe(2)
})

test('a task is a reader by its own name', { timeout: 120_000 }, async () => {
  await start(['config', 'set', 'task', '-f', '-', '--yes'], 'a').ended
  await start(['config', 'set', 'task', '-f', '-', '--yes', '--canary', '50%'], 'b').ended
  const tasks = Array.from({ length: 20 }, (_, i) => `web/api[${i}]`)
  const hit = tasks.find((task) => userBucket(task, 'task@2') < 500_000) ?? ''
  const read = (env: object): Promise<string> =>
    new Promise((resolve, reject) =>
      execFile(process.execPath, [BIN, 'delos', 'config', 'get', 'task'], { env: { ...server.env, ...env } }, (error, out) =>
        error === null ? resolve(out) : reject(error),
      ),
    )
  expect(await read({ MUSTER_TASK: hit })).toBe('b\n')
  expect(await read({})).toBe('a\n')
  await muster('config', 'rollback', 'task')
})

test('a trial that nobody judges is rolled back by itself', { timeout: 120_000 }, async () => {
  await start(['config', 'set', 'alone', '-f', '-', '--yes'], 'a').ended
  await start(['config', 'set', 'alone', '-f', '-', '--yes', '--canary', '50%', '--canary-for', '1s'], 'b').ended
  const state = async (): Promise<unknown> =>
    (await server.client.call<{ versions: { state: string }[] }>('delos.config.history', { name: 'alone' })).data.versions[0]?.state
  await eventually('it is rolled back', 20_000, async () => (await state()) === 'rolled-back')
})

test('while the server is down configurations and records are read from the disk', { timeout: 120_000 }, async () => {
  await start(['config', 'set', 'kept', '-f', '-', '--yes'], 'on disk').ended
  await server.stop()
  try {
    const { code, stdout } = await muster('config', 'get', 'kept')
    expect([code, stdout]).toEqual([0, 'on disk\n'])
    expect((await muster('meta', 'ls')).code).toBe(0)
  } finally {
    await server.start()
  }
})

test('a record is put, found by its labels and its body, and deleted', { timeout: 120_000 }, async () => {
  const body = file('orders.yaml', 'spec:\n  replicas: 3\n')
  const put = await muster('meta', 'put', 'orders', '--kind', 'database', '-f', body, '-l', 'env=prod', '-l', 'team=shop', '--expect', '0')
  expect(put.code).toBe(0)
  expect(JSON.parse((await muster('meta', 'get', 'orders', '--kind', 'database')).stdout)).toEqual({ spec: { replicas: 3 } })
  const find = async (...args: string[]): Promise<string[]> =>
    (JSON.parse((await muster('meta', 'find', ...args, '--json')).stdout) as { data: { records: { name: string }[] } }).data.records.map(
      ({ name }) => name,
    )
  expect(await find('--label', 'env=prod', '--where', 'spec.replicas>=3')).toEqual(['orders'])
  expect(await find('--label', 'env=prod', '--where', 'spec.replicas>3')).toEqual([])
  expect((await muster('meta', 'put', 'orders', '--kind', 'database', '--expect', '0')).code).toBe(5)
  expect((await muster('meta', 'ls')).stdout).toMatch(/database +orders +\d+ +env=prod team=shop/)
  expect((await muster('meta', 'del', 'orders', '--kind', 'database', '--yes')).code).toBe(0)
  expect((await muster('meta', 'get', 'orders', '--kind', 'database')).code).toBe(3)
})
