import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SERVER_PAGE_PATH } from '../../../src/core/delos/measure/names.ts'
import { serverPageSchema } from '../../../src/core/delos/measure/server-page.ts'
import { gateway, newDelosServers, putKey, type DelosServerProcess, type DelosServers } from '../../support/delos-servers.ts'
import { eventually } from '../../support/eventually.ts'
import { BIN } from '../../support/fleet.ts'
import { STORES, type TestStore } from '../../support/stores.ts'

interface Ran {
  code: number | null
  stdout: string
  stderr: string
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look at what they expect
  json: () => any
}

/** One `muster delos …` against a store, with nobody at a terminal. */
function muster(url: string, args: readonly string[], stdin = ''): Promise<Ran> & { interrupt: () => void } {
  const child = spawn(process.execPath, [BIN, 'delos', ...args], {
    env: { ...process.env, NO_COLOR: '1', MUSTER_DELOS_ENDPOINTS: url },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (part: Buffer) => (said[name] += part.toString()))
  child.stdin.end(stdin)
  const ran = once(child, 'close').then(([code]) => ({ code: code as number | null, ...said, json: () => JSON.parse(said.stdout).data }))
  return Object.assign(ran, { interrupt: () => void child.kill('SIGINT') })
}

const page = async (url: string, path: string): Promise<{ status: number; text: string }> => {
  const answer = await fetch(`${url}${path}`)
  return { status: answer.status, text: await answer.text() }
}
const sample = async (url: string, name: string): Promise<number> =>
  Number(
    (await page(url, '/metrics')).text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.split(' ')[1],
  )

describe.each(STORES)('what is common to all, on $name', ({ isMissing, make }) => {
  let store: TestStore
  beforeAll(async () => {
    if (isMissing) return
    store = await make()
    await store.start()
  }, 120_000)
  afterAll(() => store?.remove())

  test.skipIf(isMissing)(
    'status, member ls, leader show and top say that its one server leads',
    async () => {
      const status = (await muster(store.url, ['status', '--json'])).json()
      expect(status).toMatchObject({
        servers: [{ role: 'leader', isReachable: true, lag: 0 }],
        durability: { class: 'single', survivesNow: 0 },
      })
      const members = (await muster(store.url, ['member', 'ls', '--json'])).json().members
      expect(members).toMatchObject([{ isLeader: true, isLearner: false, clientUrls: [store.url] }])
      expect((await muster(store.url, ['leader', 'show', '--json'])).json()).toMatchObject({ leader: members[0].name, id: members[0].id })
      const wish = await muster(store.url, ['leader', 'move', '--prefer', 'region=eu'])
      expect([wish.code, wish.stderr]).toEqual([
        2,
        expect.stringMatching(/--prefer is kept for servers of `muster up`.*leader move --to NAME/s),
      ])
      const top = await muster(store.url, ['top', '--once'])
      expect([top.code, top.stdout]).toEqual([0, expect.stringContaining(`★ ${members[0].name}`)])
    },
    120_000,
  )

  test.skipIf(isMissing)(
    'an alarm is listed with its server; taking it back asks first, or shows its plan',
    async () => {
      const memberID = (await gateway(store.url, 'cluster/member/list', {})).body.members[0].ID
      await gateway(store.url, 'maintenance/alarm', { action: 'ACTIVATE', memberID, alarm: 'NOSPACE' })
      expect((await muster(store.url, ['alarm', 'ls', '--json'])).json()).toMatchObject({ alarms: [{ alarm: 'NOSPACE' }] })
      const health = await page(store.url, '/health')
      expect(health).toMatchObject({ status: 503, text: expect.stringContaining('"health":"false"') })
      const plan = await muster(store.url, ['alarm', 'disarm', '--plan'])
      expect([plan.code, plan.stdout]).toEqual([0, expect.stringContaining('Nothing was changed yet.')])
      const unasked = await muster(store.url, ['alarm', 'disarm'])
      expect([unasked.code, unasked.stderr]).toEqual([4, expect.stringContaining('CONFIRM_REQUIRED')])
      expect((await muster(store.url, ['alarm', 'disarm', '--yes'])).code).toBe(0)
      expect((await muster(store.url, ['alarm', 'ls', '--json'])).json()).toEqual({ alarms: [] })
    },
    120_000,
  )

  test.skipIf(isMissing)(
    "users and roles with etcd's words: who may read may not write, and nobody gets in without",
    async () => {
      const root = ['--user', 'root:secret']
      const all: [string[], string?][] = [
        [['auth', 'user', 'add', 'root:secret']],
        [['auth', 'role', 'add', 'root']],
        [['auth', 'user', 'grant-role', 'root', 'root']],
        [['auth', 'enable', '--yes']],
        [['auth', 'user', 'add', 'anna', ...root], 'hers\n'],
        [['auth', 'role', 'add', 'reader', ...root]],
        [['auth', 'role', 'grant-permission', 'reader', 'read', '/app/', '--prefix', ...root]],
        [['auth', 'user', 'grant-role', 'anna', 'reader', ...root]],
      ]
      for (const [args, stdin] of all) expect(await muster(store.url, args, stdin)).toMatchObject({ code: 0 })
      expect((await muster(store.url, ['auth', 'status'])).stdout).toContain('auth is on')
      expect((await muster(store.url, ['auth', 'user', 'ls'])).code).toBe(4)
      expect((await muster(store.url, ['auth', 'user', 'ls', '--json', ...root])).json()).toEqual({
        users: [
          { name: 'anna', roles: ['reader'] },
          { name: 'root', roles: ['root'] },
        ],
      })
      expect((await muster(store.url, ['auth', 'role', 'get', 'reader', '--json', ...root])).json()).toEqual({
        role: 'reader',
        permissions: [{ kind: 'read', keys: 'all keys below /app/' }],
      })
      const token = (await gateway(store.url, 'auth/authenticate', { name: 'anna', password: 'hers' })).body.token
      const key = Buffer.from('/app/a').toString('base64')
      expect((await gateway(store.url, 'kv/range', { key }, token)).status).toBe(200)
      expect((await gateway(store.url, 'kv/put', { key }, token)).status).toBe(403)
      expect((await muster(store.url, ['auth', 'disable', ...root])).code).toBe(4)
      expect((await muster(store.url, ['auth', 'disable', '--yes', ...root])).code).toBe(0)
      expect((await muster(store.url, ['auth', 'status'])).stdout).toContain('auth is off')
    },
    240_000,
  )
})

describe('one server of ours', () => {
  let cluster: DelosServers
  let server: DelosServerProcess
  beforeAll(async () => {
    cluster = await newDelosServers(1)
    server = cluster.servers[0] as DelosServerProcess
    server.start()
    await cluster.healthy()
  }, 120_000)
  afterAll(() => cluster.remove())

  test('/livez and /readyz say ok, and with ?verbose each thing they looked at', async () => {
    expect(await page(server.url, '/livez')).toEqual({ status: 200, text: 'ok\n' })
    expect(await page(server.url, '/livez?verbose')).toEqual({ status: 200, text: '[+]event_loop ok\nok\n' })
    expect(await page(server.url, '/readyz?verbose')).toEqual({
      status: 200,
      text: '[+]leader ok\n[+]applied ok\n[+]applying ok\n[+]data_corruption ok\nok\n',
    })
  })

  test('/readyz and /health fail on CORRUPT and say so; who excludes the alarm asks about the rest', async () => {
    const alarm = { memberID: '7', alarm: 'CORRUPT' }
    await gateway(server.url, 'maintenance/alarm', { action: 'ACTIVATE', ...alarm })
    const ready = await page(server.url, '/readyz')
    expect([ready.status, ready.text]).toEqual([503, expect.stringContaining('[-]data_corruption failed: alarm CORRUPT')])
    expect(await page(server.url, '/health')).toEqual({ status: 503, text: '{"health":"false","reason":"ALARM CORRUPT"}' })
    expect((await page(server.url, '/health?exclude=CORRUPT')).status).toBe(200)
    await gateway(server.url, 'maintenance/alarm', { action: 'DEACTIVATE', ...alarm })
    expect((await page(server.url, '/health')).status).toBe(200)
  })

  test('/metrics counts what is written and answered, in names that dashboards of etcd use', async () => {
    const names = ['muster_delos_entries_total', 'etcd_disk_wal_fsync_duration_seconds_count', 'muster_delos_reads_total']
    const before = await Promise.all(names.map((name) => sample(server.url, name)))
    for (let i = 0; i < 40; i += 1) await putKey(server.url, `/hot/keys/${i}`, 'x')
    await gateway(server.url, 'kv/range', { key: Buffer.from('/hot/keys/1').toString('base64') })
    const after = await Promise.all(names.map((name) => sample(server.url, name)))
    expect(after.map((value, i) => value - (before[i] as number))).toEqual([40, expect.toSatisfy((n: number) => n >= 40), 1])
    const { text } = await page(server.url, '/metrics')
    expect(text).toMatch(
      /grpc_server_handled_total\{grpc_code="OK",grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"\} 40/,
    )
    expect(text).toMatch(/muster_delos_hot_prefix_share\{prefix="\/hot\/keys\/"\} 1\n/)
    expect(text).toMatch(/etcd_disk_wal_fsync_duration_seconds_bucket\{le="0.001"\} \d+/)
    expect(text).toMatch(/etcd_server_leader_changes_seen_total 1\n/)
    // Every line is a comment, or a sample with a number.
    for (const line of text.trimEnd().split('\n')) expect(line).toMatch(/^(# (HELP|TYPE) \S+ .+|[a-z\d_]+(\{[^}]*\})? [-+.\de]+)$/)
  })

  test('its own page has the form that it promises, and shows what happened of late', async () => {
    const { status, text } = await page(server.url, SERVER_PAGE_PATH)
    expect(status).toBe(200)
    const told = serverPageSchema.parse(JSON.parse(text))
    expect(told).toMatchObject({ name: 'a', log: { loglet: 'file' }, alarms: [], hot: [{ prefix: '/hot/keys/' }] })
    expect(told.rates.entriesPerS).toBeGreaterThan(0)
    expect(told.commit.p99Ms).toBeGreaterThan(0)
    expect(Math.abs(told.now - Date.now())).toBeLessThan(5000)
  })

  test('log verify reads its log while it runs', async () => {
    const ran = await muster(server.url, ['log', 'verify', server.dir, '--json'])
    expect(ran.code).toBe(0)
    expect(ran.json().logs).toMatchObject([{ first: 1, bad: null }])
    expect(ran.json().logs[0].last).toBeGreaterThan(40)
  }, 60_000)

  test('doctor finds its port taken, and exits with 7 when asked to', async () => {
    const ran = await muster(server.url, ['doctor', server.dir, '--ports', new URL(server.url).port, '--exit-code', '--json'])
    expect(ran.code).toBe(7)
    const findings = ran.json().findings as { name: string; state: string; found: string }[]
    expect(findings.find(({ name }) => name.startsWith('port'))).toMatchObject({ state: 'lesser', found: 'EADDRINUSE' })
    expect(findings.find(({ name }) => name === 'honest fdatasync')?.found).toMatch(/p50|tmpfs/)
  }, 60_000)

  test('status of a store that is not there exits with 6 and says what was tried', async () => {
    const ran = await muster('http://127.0.0.1:1', ['status'])
    expect([ran.code, ran.stderr]).toEqual([6, expect.stringContaining('127.0.0.1:1')])
  }, 60_000)
})

describe('three servers of ours', () => {
  let cluster: DelosServers
  beforeAll(async () => {
    cluster = await newDelosServers(3, ['--profile', 'wan'])
    for (const server of cluster.servers) server.start()
    await cluster.healthy()
  }, 180_000)
  afterAll(() => cluster.remove())
  const urls = (): string => cluster.servers.map(({ url }) => url).join(',')
  const statusOf = async (url: string, ...flags: string[]): Promise<Ran> => muster(url, ['status', '--json', ...flags])

  test('are all found from one of them; leader move has another lead, and tells the gap', async () => {
    // Where the others answer is told a second after they are up.
    const status = await eventually('all three', 20_000, async () => {
      const found = (await statusOf(cluster.servers[0]?.url ?? '')).json()
      return found.servers.every(({ isReachable }: { isReachable: boolean }) => isReachable) ? found : null
    })
    expect(status.durability).toEqual({ class: 'quorum 3', voters: 3, survives: 1, survivesNow: 1 })
    const from = status.logs[0].leader as string
    const to = cluster.servers.find(({ name }) => name !== from)?.name ?? ''
    const plan = await muster(urls(), ['leader', 'move', '--to', to, '--plan'])
    expect([plan.code, plan.stdout]).toEqual([0, expect.stringContaining(`${to} leads instead of ${from}`)])
    const moved = await muster(urls(), ['leader', 'move', '--to', to, '--json'])
    expect(moved.code).toBe(0)
    expect(moved.json()).toMatchObject({ from, to })
    expect(moved.json().gapMs).toBeGreaterThan(0)
    const shown = (await muster(urls(), ['leader', 'show', '--json'])).json()
    expect(shown).toMatchObject({ leader: to, lastChange: { from, to } })
    const nobody = await muster(urls(), ['leader', 'move', '--to', 'zoe'])
    expect([nobody.code, nobody.stderr]).toEqual([3, expect.stringContaining('there are a, b, c')])
  }, 240_000)

  test('one killed is told by the others: why, and since when; status exits with 7, top goes on', async () => {
    const [killed, alive] = cluster.servers as [DelosServerProcess, DelosServerProcess]
    const killedAt = Date.now()
    await killed.end('SIGKILL')
    const ran = await eventually('it is missed', 30_000, async () => {
      const found = await statusOf(alive.url, '--exit-code')
      return found.json().logs[0].leader !== null && found.json().servers[0].sinceMs !== null ? found : null
    })
    expect(ran.code).toBe(7)
    const [server] = ran.json().servers
    expect(server).toMatchObject({ name: killed.name, isReachable: false, why: expect.stringContaining('ECONNREFUSED') })
    expect(server.sinceMs).toBeGreaterThan(killedAt - 2000)
    expect(ran.json().durability).toMatchObject({ survives: 1, survivesNow: 0 })
    const top = await muster(alive.url, ['top', '--once'])
    expect(top.stdout).toContain(`${killed.name} is not reached`)
    const watched = muster(alive.url, ['status', '--watch', '--every', '200ms', '--json'])
    await new Promise((resolve) => setTimeout(resolve, 3000))
    watched.interrupt()
    const { code, stdout } = await watched
    const pictures = stdout.trimEnd().split('\n')
    expect([code, pictures.length > 1]).toEqual([130, true])
    for (const picture of pictures) expect(JSON.parse(picture)).toMatchObject({ type: 'snapshot', data: { durability: { voters: 3 } } })
  }, 180_000)

  test('without a majority one lives, is not ready, not healthy, and says why; status says that nothing can be changed', async () => {
    const [, second, last] = cluster.servers as [DelosServerProcess, DelosServerProcess, DelosServerProcess]
    await second.end('SIGKILL')
    await eventually('nobody leads', 30_000, async () => (await page(last.url, '/readyz')).status === 503)
    expect((await page(last.url, '/readyz')).text).toContain('[-]leader failed: no leader')
    expect((await page(last.url, '/livez')).status).toBe(200)
    const health = await page(last.url, '/health')
    expect(health).toMatchObject({ status: 503, text: expect.stringMatching(/"health":"false","reason":".+"/) })
    const ran = await statusOf(last.url)
    expect(ran.json()).toMatchObject({ durability: { survivesNow: -1 }, logs: [{ leader: null }] })
    const shown = await muster(last.url, ['leader', 'show'])
    expect([shown.code, shown.stdout]).toEqual([6, expect.stringContaining('none')])
  }, 180_000)
})
