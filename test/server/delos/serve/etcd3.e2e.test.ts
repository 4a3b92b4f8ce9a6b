import { Etcd3, EtcdLockFailedError, type IOptions } from 'etcd3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newDelosServers, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'
import { eventually } from '../../../support/eventually.ts'

// The npm package `etcd3`, unmodified, as a team's program would use it.
describe("npm's etcd3", () => {
  let cluster: DelosServers
  let server: DelosServerProcess
  const clients: Etcd3[] = []
  const connect = (options: Partial<IOptions> = {}): Etcd3 => {
    const client = new Etcd3({ hosts: server.url, ...options })
    clients.push(client)
    return client
  }

  beforeAll(async () => {
    cluster = await newDelosServers(1)
    server = cluster.servers[0] as DelosServerProcess
    server.start()
    await cluster.healthy()
  }, 120_000)
  afterAll(async () => {
    for (const client of clients) client.close()
    await cluster.remove()
  })

  test('puts, gets and deletes, keys of any bytes too', async () => {
    const client = connect()
    await client.put('kv/a').value('1')
    await client.put('kv/b').value(2)
    const binary = Buffer.from([0, 255, 128, 10])
    await client.put(Buffer.concat([Buffer.from('kv/'), binary])).value(binary)
    expect(await client.get('kv/a').string()).toBe('1')
    expect(await client.get('kv/b').number()).toBe(2)
    expect(await client.get('kv/none').string()).toBeNull()
    expect(await client.get(Buffer.concat([Buffer.from('kv/'), binary])).buffer()).toEqual(binary)
    expect(await client.getAll().prefix('kv/').sort('Key', 'Descend').limit(1).strings()).toEqual({ 'kv/b': '2' })
    expect(await client.getAll().prefix('kv/').count()).toBe(3)
    const old = (await client.get('kv/a').exec()).header.revision
    const { prev_kv } = await client
      .put('kv/a')
      .value('3')
      .getPrevious()
      .then((kv) => ({ prev_kv: kv }))
    expect(prev_kv?.value.toString()).toBe('1')
    expect(await client.get('kv/a').revision(old).string()).toBe('1')
    expect((await client.delete().prefix('kv/').exec()).deleted).toBe('3')
  })

  test('transactions take one part or the other', async () => {
    const client = connect()
    await client.put('txn/a').value('1')
    const move = () =>
      client
        .if('txn/a', 'Value', '==', '1')
        .and('txn/b', 'Create', '==', 0)
        .then(client.put('txn/b').value('moved'), client.delete().key('txn/a'))
        .else(client.get('txn/b'))
        .commit()
    expect((await move()).succeeded).toBe(true)
    const second = await move()
    expect([second.succeeded, second.responses[0]?.response_range?.kvs[0]?.value.toString()]).toEqual([false, 'moved'])
  })

  test('software transactions of several writers lose no increment', async () => {
    const client = connect()
    await client.put('stm').value(0)
    const add = () =>
      client.stm({ retries: 100 }).transact(async (tx) => void (await tx.put('stm').value(Number(await tx.get('stm').number()) + 1)))
    await Promise.all(Array.from({ length: 8 }, add))
    expect(await client.get('stm').number()).toBe(8)
  })

  test('namespaces keep their keys apart', async () => {
    const client = connect()
    const inside = client.namespace('ns/')
    await inside.put('k').value('v')
    expect(await client.get('ns/k').string()).toBe('v')
    expect(await inside.getAll().strings()).toEqual({ k: 'v' })
    await inside.delete().all()
    expect(await client.get('ns/k').string()).toBeNull()
  })

  test('a watch goes on after the server was killed and started again, and misses nothing', async () => {
    const client = connect()
    const watcher = await client.watch().prefix('w/').create()
    const seen: string[] = []
    watcher.on('put', ({ key, value }) => seen.push(`${key}=${value}`))
    watcher.on('delete', ({ key }) => seen.push(`${key} gone`))
    await client.put('w/1').value('a')
    await eventually('the first change', 20_000, () => seen.length === 1)
    await server.end('SIGKILL')
    server.start()
    await cluster.healthy()
    // Another client, so that there are changes before the first is back.
    const other = connect()
    await eventually('a client', 20_000, async () => (await other.put('w/2').value('b')) !== undefined)
    await other.delete().key('w/1')
    await eventually('what was missed', 15_000, () => seen.length >= 3)
    await client.put('w/3').value('c')
    await eventually('what comes', 20_000, () => seen.length >= 4)
    expect(seen).toEqual(['w/1=a', 'w/2=b', 'w/1 gone', 'w/3=c'])
    await watcher.cancel()
  }, 80_000)

  test('a lease is kept alive over three times its TTL, and its keys are gone when it is revoked', async () => {
    const client = connect()
    const lease = client.lease(1)
    let lost: Error | null = null
    lease.on('lost', (error) => (lost = error))
    await lease.put('lease/k').value('v')
    await new Promise((resolve) => setTimeout(resolve, 3300))
    expect([lost, await client.get('lease/k').string()]).toEqual([null, 'v'])
    await lease.revoke()
    expect(await client.get('lease/k').string()).toBeNull()
    const short = client.lease(1, { autoKeepAlive: false })
    await short.put('lease/k').value('v')
    await eventually('its end', 20_000, async () => (await client.get('lease/k').string()) === null)
  }, 60_000)

  test('a lock has one holder', async () => {
    const [one, two] = [connect(), connect()]
    const held = await one.lock('lock').ttl(5).acquire()
    await expect(two.lock('lock').ttl(5).acquire()).rejects.toThrow(EtcdLockFailedError)
    await held.release()
    const after = await two.lock('lock').ttl(5).acquire()
    await after.release()
  }, 60_000)

  test('an election has one leader, and the next one when it resigns', async () => {
    const election = connect().election('el', 5)
    const observer = await connect().election('el', 5).observe()
    const seen: (string | undefined)[] = []
    observer.on('change', (value) => seen.push(value))
    const first = election.campaign('one')
    await first.wait()
    const second = connect().election('el', 5).campaign('two')
    let isElected = false
    second.on('elected', () => (isElected = true))
    await eventually('the first leader', 20_000, async () => (await election.leader()) === 'one')
    await first.proclaim('still one')
    await eventually('what it says', 20_000, () => seen.at(-1) === 'still one')
    expect(isElected).toBe(false)
    await first.resign()
    await eventually('the second leader', 20_000, () => isElected && seen.at(-1) === 'two')
    await second.resign()
    await observer.cancel()
  }, 60_000)

  test('with users, a client logs in with its password, and again by itself when its token is over', async () => {
    const root = connect()
    const role = await root.role('root').create()
    const admin = await root.user('root').create('pw')
    await admin.addRole(role)
    const reader = await root.role('reader').create()
    await reader.grant({ permission: 'Read', range: root.range({ prefix: 'open/' }) })
    await (await root.user('anna').create('hers')).addRole(reader)
    await root.put('open/k').value('v')
    await root.auth.authEnable()
    const boss = connect({ auth: { username: 'root', password: 'pw' } })
    try {
      const anna = connect({ auth: { username: 'anna', password: 'hers' } })
      expect(await anna.get('open/k').string()).toBe('v')
      await expect(anna.put('open/k').value('x').exec()).rejects.toThrow(/permission denied/)
      await expect(anna.get('closed').string()).rejects.toThrow(/permission denied/)
      await expect(
        connect({ auth: { username: 'anna', password: 'wrong' } })
          .get('open/k')
          .string(),
      ).rejects.toThrow(/invalid user ID or password/)
      await expect(connect().get('open/k').string()).rejects.toThrow(/user name is empty/)
      // A change of users ends every token; the library logs in again.
      await boss.user('ben').create('his')
      expect(await anna.get('open/k').string()).toBe('v')
      // So does a restart of the server that has forgotten nothing but them.
      await server.end('SIGKILL')
      server.start()
      await cluster.healthy()
      await eventually('anna', 20_000, async () => (await anna.get('open/k').string()) === 'v')
    } finally {
      await eventually('the end of users', 20_000, async () => (await boss.auth.authDisable()) !== undefined)
    }
  }, 80_000)
})
