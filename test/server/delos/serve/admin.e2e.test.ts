import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { adminCalls, type AdminOptions } from '../../../../src/server/delos/serve/admin.ts'
import { gateway, newDelosServers, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'
import { eventually } from '../../../support/eventually.ts'
import { BIN } from '../../../support/fleet.ts'
import { hasOpenssl, newAuthority, newCertificate } from '../../../support/openssl.ts'
import { pause } from '../virtual-log/load.ts'

/** Every call that a server has, so that none is added without its door. */
const PATHS = Object.keys(adminCalls({} as AdminOptions))

interface Answer {
  status: number
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look at what they expect
  body: any
}

const ROOT = '/muster/v1/delos'
/** how long a token counts */
const TTL_MS = 8000
const base64 = (text: string): string => Buffer.from(text).toString('base64')

async function call(url: string, path: string, token: string, body: object = {}): Promise<Answer> {
  const answer = await fetch(`${url}${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: token === '' ? {} : { authorization: token },
  })
  return { status: answer.status, body: await answer.json() }
}

/** `root`, who may all, and `anna`, who may read and write every key. */
async function turnUsersOn(url: string): Promise<void> {
  await gateway(url, 'auth/role/add', { name: 'root' })
  await gateway(url, 'auth/role/add', { name: 'all-keys' })
  await gateway(url, 'auth/role/grant', { name: 'all-keys', perm: { permType: 'READWRITE', key: base64('\0'), range_end: base64('\0') } })
  for (const [name, role] of [
    ['root', 'root'],
    ['anna', 'all-keys'],
  ]) {
    await gateway(url, 'auth/user/add', { name, password: `${name}-pw` })
    await gateway(url, 'auth/user/grant', { user: name, role })
  }
  expect((await gateway(url, 'auth/enable', {})).status).toBe(200)
}

const tokenOf = async (url: string, name: string): Promise<string> =>
  (await gateway(url, 'auth/authenticate', { name, password: `${name}-pw` })).body.token

describe("operators' calls, with users on", () => {
  let folder: string
  let cluster: DelosServers
  let server: DelosServerProcess
  let root: string
  let before: Answer
  /** Two tokens whose time is over at `atMs`: one of the rights that hold, one of those before. */
  let over: { tokens: string[]; atMs: number }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'muster-admin-'))
    writeFileSync(join(folder, 'secret'), 'a secret of some length, for tokens')
    cluster = await newDelosServers(1, ['--auth-token', `jwt,sign-method=HS256,priv-key=${join(folder, 'secret')},ttl=${TTL_MS / 1000}s`])
    server = cluster.servers[0] as DelosServerProcess
    server.start()
    await cluster.healthy()
    await turnUsersOn(server.url)
    root = await tokenOf(server.url, 'root')
    before = await call(server.url, `${ROOT}/log/loglets`, root)
    expect(before.status).toBe(200)
  }, 120_000)
  afterAll(async () => {
    await cluster.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  /** What each call would do, were it let in. */
  const bodyOf = (path: string): object => {
    if (path.endsWith('/log/switch')) return { to: 'file' }
    if (path.endsWith('/member/add')) return { peerUrls: ['http://127.0.0.1:1'], isLearner: true }
    const [own] = before.body.members as { id: string }[]
    return path.includes('/member/') ? { id: own?.id, ids: [own?.id], peerUrls: ['http://127.0.0.1:2'] } : {}
  }
  const untouched = async (): Promise<void> => {
    const { body } = await call(server.url, `${ROOT}/log/loglets`, await tokenOf(server.url, 'root'))
    const { version, decider, chain, members } = body
    expect({ version, decider, chain, members }).toEqual({
      ...{ version: before.body.version, decider: before.body.decider },
      ...{ chain: before.body.chain, members: before.body.members },
    })
  }

  test('every one is refused to who gives no token, a false one, or that of somebody else than root, and nothing has changed', async () => {
    expect(PATHS.length).toBeGreaterThanOrEqual(7)
    const anna = await tokenOf(server.url, 'anna')
    const broken = `${(await tokenOf(server.url, 'root')).slice(0, -3)}AAA`
    const refusals = [
      ['', 403, 'etcdserver: user name is empty'],
      [anna, 403, 'etcdserver: permission denied'],
      ['nonsense', 401, 'etcdserver: invalid auth token'],
      [broken, 401, 'etcdserver: invalid auth token'],
    ] as const
    for (const path of PATHS)
      for (const [token, status, message] of refusals) {
        const refused = await call(server.url, path, token, bodyOf(path))
        expect({ path, ...refused }).toEqual({ path, status, body: { error: { code: 'NOT_PERMITTED', message } } })
      }
    await untouched()
  }, 120_000)

  test('a token that is of before the last change of rights is refused as one, and nothing has changed', async () => {
    const [old, older] = [await tokenOf(server.url, 'root'), root]
    await gateway(server.url, 'auth/role/add', { name: 'another' }, old)
    for (const path of PATHS) {
      const refused = await call(server.url, path, old, bodyOf(path))
      expect({ path, status: refused.status, text: refused.body.error?.message }).toEqual({
        path,
        status: 401,
        text: 'etcdserver: invalid auth token',
      })
    }
    const fresh = await tokenOf(server.url, 'root')
    expect((await call(server.url, `${ROOT}/member/list`, fresh)).status).toBe(200)
    over = { tokens: [fresh, older], atMs: Date.now() + TTL_MS + 500 }
    await untouched()
  }, 120_000)

  test('the commands say the same, and a wrong password is told apart', async () => {
    const muster = async (user: string[], ...args: string[]): Promise<{ code: number; said: string }> => {
      const child = spawn(process.execPath, [BIN, 'delos', ...args, ...user], {
        env: { ...process.env, NO_COLOR: '1', MUSTER_DELOS_ENDPOINTS: server.url },
      })
      let said = ''
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (said += part.toString()))
      const [code] = (await once(child, 'close')) as [number]
      return { code, said }
    }
    const looks = ['log', 'loglets']
    expect(await muster(['--user', 'root:root-pw'], ...looks)).toMatchObject({ code: 0 })
    for (const [user, text] of [
      [[], 'user name is empty'],
      [['--user', 'anna:anna-pw'], 'permission denied'],
      [['--user', 'root:guess'], 'authentication failed, invalid user ID or password'],
    ] as const)
      for (const args of [looks, ['log', 'switch', 'kv', '--to', 'file', '--yes']])
        expect(await muster([...user], ...args)).toEqual({ code: 4, said: expect.stringContaining(text) })
    await untouched()
  }, 120_000)

  test('a token whose time is over is refused as one, and nothing has changed', async () => {
    await pause(Math.max(0, over.atMs - Date.now()))
    for (const token of over.tokens) expect((await call(server.url, `${ROOT}/log/switch`, token, { to: 'file' })).status).toBe(401)
    await untouched()
  }, 120_000)

  test('root is let in to each, and is told what is wrong with what was asked', async () => {
    root = await tokenOf(server.url, 'root')
    const ask = (path: string, body: object): Promise<Answer> => call(server.url, `${ROOT}/${path}`, root, body)
    expect((await ask('member/list', {})).body.members).toEqual(before.body.members)
    expect((await ask('member/remove', { ids: ['1'] })).status).toBe(409)
    expect((await ask('member/remove', { ids: [] })).body.error).toMatchObject({ code: 'USAGE' })
    expect((await ask('member/promote', { ids: 'a' })).body.error).toMatchObject({ code: 'USAGE' })
    expect((await ask('member/update', {})).body.error).toMatchObject({ code: 'USAGE' })
    expect((await ask('member/add', { peerUrls: ['nowhere'] })).status).toBe(409)
    await untouched()
    expect((await ask('log/switch', { to: 'quorum' })).body).toMatchObject({ to: { kind: 'quorum' } })
  }, 120_000)
})

describe('a server that lost its directory, while the others are away', () => {
  test('knows no users, and lets nobody in for that', async () => {
    const cluster = await newDelosServers(3)
    try {
      for (const each of cluster.servers) each.start()
      await cluster.healthy()
      const [, , lost] = cluster.servers as [DelosServerProcess, DelosServerProcess, DelosServerProcess]
      await turnUsersOn(lost.url)
      for (const each of cluster.servers) await each.end('SIGKILL')
      rmSync(lost.dir, { recursive: true, force: true })
      lost.start()
      await eventually('its port is open', 20_000, () => fetch(`${lost.url}/version`))
      for (const path of PATHS) {
        const { status, body } = await call(lost.url, path, '', {})
        expect({ path, status, code: body.error?.code }).toEqual({ path, status: 503, code: 'DELOS_NO_QUORUM' })
      }
      for (const path of [
        'cluster/member/remove',
        'cluster/member/add',
        'maintenance/transfer-leadership',
        'maintenance/snapshot',
        'maintenance/alarm',
      ])
        expect(
          JSON.stringify((await gateway(lost.url, path, path.endsWith('alarm') ? { action: 'ACTIVATE', alarm: 'NOSPACE' } : {})).body),
        ).toContain('has not got the store from the others yet')
    } finally {
      await cluster.remove()
    }
  }, 240_000)
})

const hasCurl = spawnSync('curl', ['--version']).status === 0

describe.skipIf(!hasOpenssl || !hasCurl)("operators' calls over TLS (skipped without openssl and curl)", () => {
  test("the common name of a client's certificate is its user; a token counts before it", async () => {
    const folder = mkdtempSync(join(tmpdir(), 'muster-admin-tls-'))
    const file = (name: string): string => join(folder, name)
    newAuthority(folder, 'ca')
    newAuthority(folder, 'other-ca')
    for (const name of ['server', 'root', 'anna', 'nobody']) newCertificate(folder, name, 'ca')
    newCertificate(folder, 'stranger', 'other-ca', 'root')
    const flags = [
      '--cert-file',
      file('server.crt'),
      '--key-file',
      file('server.key'),
      '--trusted-ca-file',
      file('ca.crt'),
      '--client-cert-auth=true',
    ]
    const cluster = await newDelosServers(1, flags, { client: 'https', peer: 'http' })
    const { url, start } = cluster.servers[0] as DelosServerProcess
    const post = async (name: string, path: string, body: object = {}, token = ''): Promise<Answer> => {
      const args = ['--silent', '--show-error', '--cacert', file('ca.crt'), '--cert', file(`${name}.crt`), '--key', file(`${name}.key`)]
      if (token !== '') args.push('--header', `authorization: ${token}`)
      args.push('--write-out', '\n%{http_code}', '--data', JSON.stringify(body), `${url}${path}`)
      const said = await new Promise<string>((resolve, reject) =>
        execFile('curl', args, { timeout: 60_000 }, (error, stdout) => (error === null ? resolve(stdout) : reject(error))),
      )
      const cut = said.lastIndexOf('\n')
      return { status: Number(said.slice(cut + 1)), body: JSON.parse(said.slice(0, cut) || 'null') }
    }
    try {
      start()
      await eventually('it is healthy', 30_000, async () => (await post('root', `${ROOT}/log/loglets`)).status === 200)
      for (const name of ['root', 'anna']) {
        await post('nobody', '/v3/auth/user/add', { name, password: `${name}-pw` })
        await post('nobody', '/v3/auth/role/add', { name })
        await post('nobody', '/v3/auth/user/grant', { user: name, role: name })
      }
      expect((await post('nobody', '/v3/auth/enable')).status).toBe(200)
      const { body } = await post('root', `${ROOT}/log/loglets`)
      expect(body.version).toBeGreaterThan(0)
      const token = async (name: string): Promise<string> =>
        (await post('nobody', '/v3/auth/authenticate', { name, password: `${name}-pw` })).body.token
      for (const path of PATHS) {
        const bad = { to: 'file', ids: ['1'], id: '1', peerUrls: ['http://127.0.0.1:1'] }
        expect([path, (await post('anna', path, bad)).status, (await post('nobody', path, bad)).status]).toEqual([path, 403, 403])
        expect([path, (await post('root', path, bad, await token('anna'))).status]).toEqual([path, 403])
        await expect(post('stranger', path, bad)).rejects.toThrow()
      }
      expect((await post('anna', `${ROOT}/log/loglets`, {}, await token('root'))).body.version).toBe(body.version)
    } finally {
      await cluster.remove()
      rmSync(folder, { recursive: true, force: true })
    }
  }, 180_000)
})
