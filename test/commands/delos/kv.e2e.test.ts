import { spawn, type ChildProcess } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDelosServer, type DelosServer } from '../../server/delos/delos-server.ts'
import { BIN } from '../../support/fleet.ts'
import { hasEtcdctl, STORES, type TestStore } from '../../support/stores.ts'

interface Ended {
  code: number | null
  stdout: Buffer
  stderr: string
}

/** The same commands on a context's own store, and with `--endpoints` on a real etcd. */
const TARGETS = [
  { name: "the context's own store", isMissing: false, isOwn: true },
  { name: STORES[1].name, isMissing: STORES[1].isMissing, isOwn: false },
]

describe.each(TARGETS)('on $name', ({ isMissing, isOwn }) => {
  let server: DelosServer
  let etcd: TestStore | null = null
  beforeAll(async () => {
    if (isMissing) return
    server = await openDelosServer()
    if (isOwn) return
    etcd = await STORES[1].make()
    await etcd.start()
  })
  afterAll(async () => {
    await server?.close()
    await etcd?.remove()
  })

  const start = (args: string[], input: string | Buffer = ''): { child: ChildProcess; ended: Promise<Ended> } => {
    const where = etcd === null ? [] : ['--endpoints', etcd.url]
    const env = { ...server.env, NO_COLOR: '1' }
    const child = spawn(process.execPath, [BIN, 'delos', ...args.slice(0, 2), ...where, ...args.slice(2)], {
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const stdout: Buffer[] = []
    let stderr = ''
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.stdin.end(input)
    const ended = new Promise<Ended>((resolve) => {
      child.once('close', (code) => resolve({ code, stdout: Buffer.concat(stdout), stderr }))
    })
    return { child, ended }
  }
  const muster = (...args: string[]): Promise<Ended> => start(args).ended
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look at what they expect
  const data = async (...args: string[]): Promise<any> => {
    const { code, stdout, stderr } = await muster(...args, '--json')
    if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${stdout.toString()}${stderr}`)
    return JSON.parse(stdout.toString()).data
  }

  test.skipIf(isMissing)('values are any bytes, from standard input and back', { timeout: 120_000 }, async () => {
    const bytes = Buffer.from([0xff, 0x00, 0x0a, 0x80])
    expect((await start(['kv', 'put', 'bin'], bytes).ended).code).toBe(0)
    expect((await muster('kv', 'get', 'bin')).stdout.equals(bytes)).toBe(true)
    await data('kv', 'put', 'text', 'ünïcode')
    expect((await muster('kv', 'get', 'text')).stdout.toString()).toBe('ünïcode\n')
    expect((await muster('kv', 'get', 'none')).code).toBe(3)
  })

  test.skipIf(isMissing)(
    'a plan changes nothing, and applied it does what it showed or is refused with 5',
    { timeout: 180_000 },
    async () => {
      await data('kv', 'put', 'p/a', '1')
      const plan = await data('kv', 'del', 'p/', '--prefix', '--plan')
      expect(plan.changes).toMatchObject([{ table: 'kv', op: 'delete', before: { key: 'p/a', value: '1' } }])
      expect((await data('kv', 'get', 'p/', '--prefix', '--count')).count).toBe(1)
      await data('kv', 'put', 'p/b', '2')
      expect((await muster('kv', 'del', 'p/', '--prefix', '--apply', plan.id)).code).toBe(5)
      const again = await data('kv', 'del', 'p/', '--prefix', '--plan')
      expect((await data('kv', 'del', 'p/', '--prefix', '--apply', again.id)).deleted).toBe(2)
    },
  )

  test.skipIf(isMissing)('a list of more than a page is printed whole, in order and of one revision', { timeout: 240_000 }, async () => {
    const keys = Array.from({ length: 1152 }, (_, i) => `page/${1000 + i}`)
    for (let i = 0; i < keys.length; i += 128) {
      const puts = keys.slice(i, i + 128).map((key) => `put ${key} v${key}`)
      expect((await start(['kv', 'txn'], `\n${puts.join('\n')}\n\n\n`).ended).code).toBe(0)
    }
    const all = await data('kv', 'get', 'page/', '--prefix')
    expect(all.kvs.map(({ key, value }: { key: string; value: string }) => `${key} ${value}`)).toEqual(keys.map((key) => `${key} v${key}`))
    expect([all.count, all.more]).toEqual([1152, false])
    const limited = await muster('kv', 'get', 'page/', '--prefix', '--limit', '1100', '-o', 'name')
    expect(limited.stdout.toString()).toBe(`${keys.slice(0, 1100).join('\n')}\n`)
    expect(limited.stderr).toContain('the first 1100 of 1152 keys')
    const table = (await muster('kv', 'get', 'page/', '--prefix', '--keys-only')).stdout.toString().trimEnd().split('\n')
    expect([table.length, table[0]?.startsWith('KEY'), table.at(-1)?.startsWith(keys.at(-1) as string)]).toEqual([1153, true, true])
    await data('kv', 'put', 'page/0', 'new')
    expect((await data('kv', 'get', 'page/', '--prefix', '--rev', String(all.revision))).kvs).toHaveLength(1152)
    expect((await muster('kv', 'get', 'page/', '--prefix', '--count')).stdout.toString()).toBe('1153\n')
  })

  test.skipIf(isMissing)("a transaction in etcdctl's three parts", { timeout: 120_000 }, async () => {
    const text = 'create("t/a") = "0"\n\nput t/a "one two"\nput t/b "\\"q\\""\n\nget t/a\ndel t/ --prefix\n\n'
    const run = async (): Promise<{ succeeded: boolean; answers: object[] }> =>
      JSON.parse((await start(['kv', 'txn', '--json'], text).ended).stdout.toString()).data
    expect(await run()).toMatchObject({ succeeded: true, answers: [{ did: 'put' }, { did: 'put' }] })
    expect(await run()).toMatchObject({
      succeeded: false,
      answers: [
        { did: 'get', kvs: [{ key: 't/a', value: 'one two', version: 1 }] },
        { did: 'del', deleted: 2 },
      ],
    })
    expect((await start(['kv', 'txn'], 'mod(t/a) = "x"\n\n').ended).code).toBe(2)
  })

  test.skipIf(isMissing)(
    'the history of a key, also of one that is gone, and a compaction that ends it',
    { timeout: 180_000 },
    async () => {
      await data('kv', 'put', 'h', '1')
      await data('kv', 'put', 'h', '2')
      const { revision } = await data('kv', 'del', 'h')
      const told = async (): Promise<string[]> =>
        (await data('kv', 'history', 'h')).versions.map(({ type, kv }: { type: string; kv: { value: string } }) => `${type} ${kv.value}`)
      expect(await told()).toEqual(['put 1', 'put 2', 'delete '])
      expect((await data('kv', 'get', 'h', '--rev', String(revision - 1))).kvs).toMatchObject([{ value: '2' }])
      await data('kv', 'compact', String(revision), '--yes')
      expect((await muster('kv', 'get', 'h', '--rev', String(revision - 1))).code).toBe(3)
      await data('kv', 'put', 'h', '3')
      expect((await told()).at(-1)).toBe('put 3')
    },
  )

  test.skipIf(isMissing)('a lease is granted, renewed, shown, and takes its keys when it is revoked', { timeout: 180_000 }, async () => {
    expect(await data('lease', 'grant', '--ttl', '60s', '--id', '2a')).toEqual({ id: '2a', ttlMs: 60_000 })
    await data('kv', 'put', 'l/a', '1', '--lease', '2a')
    expect(await data('lease', 'keepalive', '2a', '--once')).toEqual({ id: '2a', ttlMs: 60_000 })
    expect(await data('lease', 'show', '2a')).toMatchObject({ ttlMs: 60_000, keys: ['l/a'] })
    expect((await data('lease', 'ls')).leases).toMatchObject([{ id: '2a' }])
    expect(await data('lease', 'revoke', '2a')).toEqual({ id: '2a', deleted: 1 })
    expect((await muster('lease', 'show', '2a')).code).toBe(3)
  })

  test.skipIf(isMissing)('a watch tells the past and ends after so many changes', { timeout: 120_000 }, async () => {
    await data('kv', 'put', 'w/a', '1')
    const { revision } = await data('kv', 'put', 'w/a', '2')
    const { stdout } = await muster('kv', 'watch', 'w/', '--prefix', '--rev', String(revision - 1), '--events', '2', '--prev-kv', '--json')
    const events = stdout
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(events).toMatchObject([
      { revision: revision - 1, type: 'put', kv: { value: '1' } },
      { revision, type: 'put', kv: { value: '2' }, prev: { value: '1' } },
    ])
  })

  test.skipIf(isMissing || !hasEtcdctl)(
    `etcdctl${hasEtcdctl ? '' : ' (not installed)'} and \`delos lock\` contend for one lock; its token fences writes`,
    { timeout: 180_000 },
    async () => {
      const endpoint = etcd?.url ?? `http://${server.etcd}`
      const theirs = spawn('etcdctl', ['--endpoints', endpoint, 'lock', 'job', '--ttl', '60'], {
        env: { ...process.env, ETCDCTL_API: '3' },
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      await new Promise((resolve) => theirs.stdout.once('data', resolve))
      const shown = await data('lock', 'show', 'job')
      expect(shown).toMatchObject({ holders: [{ isShared: false }], waiting: [] })
      const { token } = shown.holders[0]
      expect((await muster('kv', 'put', 'guarded', 'x', '--fence', `job:${token}`)).code).toBe(0)
      expect((await muster('lock', 'run', 'job', '--wait', '0s', '--', 'true')).code).toBe(5)
      const waiting = start(['lock', 'run', 'job', '--wait', '60s', '--', 'sh', '-c', 'echo $MUSTER_LOCK_TOKEN'])
      await data('lock', 'release', 'job', '--confirm', 'job')
      const mine = await waiting.ended
      expect([mine.code, Number(mine.stdout) > token]).toEqual([0, true])
      expect((await muster('kv', 'put', 'guarded', 'y', '--fence', `job:${token}`)).code).toBe(5)
      theirs.kill('SIGKILL')
    },
  )
})
