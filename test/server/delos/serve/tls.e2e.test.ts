import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newDelosServers, putKey, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'
import { eventually } from '../../../support/eventually.ts'
import { newAuthority, newCertificate } from '../../../support/openssl.ts'

const ENV = { ...process.env, ETCDCTL_API: '3' }
const hasProgram = (name: string, arg: string): boolean => spawnSync(name, [arg], { env: ENV }).error === undefined
const MISSING = [
  ['openssl', 'version'],
  ['etcdctl', 'version'],
  ['curl', '--version'],
].filter(([name, arg]) => !hasProgram(name as string, arg as string))

interface Ran {
  isDone: boolean
  said: string
}

const run = (program: string, ...args: string[]): Promise<Ran> =>
  new Promise((resolve) =>
    execFile(program, args, { env: ENV, timeout: 15_000 }, (error, stdout, stderr) =>
      resolve({ isDone: error === null, said: stdout + stderr.replace(/^\{"level".*\n/gm, '') }),
    ),
  )

let folder: string
const file = (name: string): string => join(folder, name)

describe.skipIf(MISSING.length > 0)(`TLS (skipped without openssl, etcdctl and curl)`, () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'muster-tls-'))
    newAuthority(folder, 'ca')
    newAuthority(folder, 'other-ca')
    newCertificate(folder, 'server', 'ca')
    for (const name of ['root', 'anna']) newCertificate(folder, name, 'ca')
    newCertificate(folder, 'stranger', 'other-ca', 'root')
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('a server that asks for certificates answers etcdctl and curl that have one, and takes its common name for the user', async () => {
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
    const server = cluster.servers[0] as DelosServerProcess
    const ctl = (name: string, ...args: string[]): Promise<Ran> =>
      run(
        'etcdctl',
        '--endpoints',
        server.url,
        '--cacert',
        file('ca.crt'),
        '--cert',
        file(`${name}.crt`),
        '--key',
        file(`${name}.key`),
        ...args,
      )
    const curl = (...args: string[]): Promise<Ran> => run('curl', '--silent', '--show-error', '--cacert', file('ca.crt'), ...args)
    const certificate = ['--cert', file('anna.crt'), '--key', file('anna.key')]
    try {
      server.start()
      await eventually('the server', 20_000, async () => (await ctl('root', 'endpoint', 'health')).isDone)
      expect(await ctl('root', 'put', 'k', 'v')).toEqual({ isDone: true, said: 'OK\n' })
      expect((await ctl('stranger', '--command-timeout', '1s', 'get', 'k')).isDone).toBe(false)
      expect(
        (await run('etcdctl', '--command-timeout', '1s', '--endpoints', server.url, '--cacert', file('ca.crt'), 'get', 'k')).isDone,
      ).toBe(false)
      expect(JSON.parse((await curl(...certificate, `${server.url}/health`)).said)).toMatchObject({ health: 'true' })
      expect(
        (await curl(...certificate, '--http2', '--write-out', '%{http_version}', '--output', '/dev/null', `${server.url}/version`)).isDone,
      ).toBe(true)
      expect((await curl(`${server.url}/health`)).isDone).toBe(false)

      for (const line of ['user add root --no-password', 'user grant-role root root', 'user add anna --no-password', 'role add reader'])
        expect(await ctl('root', ...line.split(' '))).toMatchObject({ isDone: true })
      for (const line of ['role grant-permission reader read k', 'user grant-role anna reader', 'auth enable'])
        expect(await ctl('root', ...line.split(' '))).toMatchObject({ isDone: true })
      expect(await ctl('anna', 'get', 'k')).toEqual({ isDone: true, said: 'k\nv\n' })
      expect(await ctl('anna', 'put', 'k', 'w')).toEqual({ isDone: false, said: 'Error: etcdserver: permission denied\n' })
      expect(await ctl('root', 'put', 'k', 'w')).toEqual({ isDone: true, said: 'OK\n' })
      expect(await ctl('root', 'auth', 'disable')).toMatchObject({ isDone: true })
    } finally {
      await cluster.remove()
    }
  }, 120_000)

  test('a server without client-cert-auth has its own certificate checked, and asks for none', async () => {
    const flags = ['--cert-file', file('server.crt'), '--key-file', file('server.key')]
    const cluster = await newDelosServers(1, flags, { client: 'https', peer: 'http' })
    const server = cluster.servers[0] as DelosServerProcess
    try {
      server.start()
      const health = (authority: string): Promise<Ran> =>
        run('curl', '--silent', '--show-error', '--cacert', file(authority), `${server.url}/health`)
      await eventually('the server', 20_000, async () => (await health('ca.crt')).isDone)
      expect(await health('other-ca.crt')).toEqual({ isDone: false, said: expect.stringContaining('certificate') })
      expect((await run('etcdctl', '--endpoints', server.url, '--cacert', file('ca.crt'), 'put', 'k', 'v')).said).toBe('OK\n')
    } finally {
      await cluster.remove()
    }
  }, 120_000)

  test('of three servers with mutual TLS, one with a certificate of another authority is kept out, and both sides log why', async () => {
    const cluster: DelosServers = await newDelosServers(3, [], { client: 'http', peer: 'https' })
    const [a, b, c] = cluster.servers as [DelosServerProcess, DelosServerProcess, DelosServerProcess]
    const peerFlags = (name: string, authority: string): string[] => [
      ...['--peer-cert-file', file(`${name}.crt`), '--peer-key-file', file(`${name}.key`)],
      ...['--peer-trusted-ca-file', file(`${authority}.crt`), '--peer-client-cert-auth=true'],
    ]
    const reasons = ({ dir }: DelosServerProcess): string[] =>
      readFileSync(join(dir, 'server.log'), 'utf8')
        .split('\n')
        .filter((line) => line.includes('connection'))
        .map((line) => JSON.parse(line).reason as string)
    try {
      for (const server of [a, b]) server.start(...peerFlags('server', 'ca'))
      await cluster.healthy()
      expect(await putKey(a.url, 'k', '1')).not.toBeNull()
      // It trusts the others, so that it is they who refuse.
      c.start(...peerFlags('stranger', 'ca'))
      await eventually('a word on why, on both sides', 20_000, () => {
        const wrong = 'its certificate is not trusted: UNABLE_TO_VERIFY_LEAF_SIGNATURE'
        const refused = reasons(a).includes(wrong) && reasons(b).includes(wrong)
        const told = reasons(c).includes(`it says: ${wrong}`)
        return refused && told
      })
      expect(await putKey(b.url, 'k', '2')).not.toBeNull()
      const health = await fetch(`${c.url}/health`).catch(() => null)
      expect(health?.status).not.toBe(200)
      // With one of theirs it is let in.
      await c.end()
      c.start(...peerFlags('server', 'ca'))
      await cluster.healthy()
      expect(await putKey(c.url, 'k', '3')).not.toBeNull()
    } finally {
      await cluster.remove()
    }
  }, 180_000)
})
