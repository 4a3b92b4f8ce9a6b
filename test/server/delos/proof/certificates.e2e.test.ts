import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { getPrefix, newDelosServers, putKey, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'
import { eventually } from '../../../support/eventually.ts'

const MISSING = [
  ['openssl', 'version'],
  ['faketime', '--version'],
  ['curl', '--version'],
].filter(([name, arg]) => spawnSync(name as string, [arg as string]).error !== undefined)

let cluster: DelosServers
afterEach(() => cluster.remove())
const logOf = (server: DelosServerProcess): string => readFileSync(join(server.dir, 'server.log'), 'utf8')
const says = (server: DelosServerProcess, ...words: string[]): Promise<true> =>
  eventually(`${server.name} says ${words.join(' … ')}`, 30_000, () =>
    logOf(server)
      .split('\n')
      .some((line) => words.every((word) => line.includes(word)))
      ? true
      : null,
  )

describe.skipIf(MISSING.length > 0)('an expired certificate (skipped without openssl, faketime and curl)', () => {
  let folder: string
  const file = (name: string): string => join(folder, name)
  /** openssl, as of a second some years ago, at which its clock stands still: what it signs for a day has been over for long. */
  const openssl = (isThen: boolean, ...args: string[]): void => {
    const [program, ...rest] = isThen ? ['faketime', '-f', '2020-01-01 00:00:00', 'openssl', ...args] : ['openssl', ...args]
    execFileSync(program, rest, { stdio: 'ignore' })
  }
  const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const certificate = (name: string, isExpired: boolean): void => {
    openssl(false, 'req', '-new', ...KEY, '-subj', `/CN=${name}`, '-keyout', file(`${name}.key`), '-out', file(`${name}.csr`))
    writeFileSync(file(`${name}.ext`), 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n')
    const signed = ['-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-CAcreateserial', '-days', '1', '-extfile', file(`${name}.ext`)]
    openssl(isExpired, 'x509', '-req', '-in', file(`${name}.csr`), ...signed, '-out', file(`${name}.crt`))
  }

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'muster-expired-'))
    openssl(true, 'req', '-x509', ...KEY, '-subj', '/CN=ca', '-days', '36500', '-keyout', file('ca.key'), '-out', file('ca.crt'))
    certificate('good', false)
    certificate('old', true)
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const flags = (kind: '' | 'peer-', name: string): string[] => [
    `--${kind}cert-file`,
    file(`${name}.crt`),
    `--${kind}key-file`,
    file(`${name}.key`),
    `--${kind}trusted-ca-file`,
    file('ca.crt'),
  ]

  test('keeps a server out of its cluster, with the reason in the logs of both sides; the others go on', async () => {
    cluster = await newDelosServers(3, ['--profile', 'wan'], { client: 'http', peer: 'https' })
    const [one, two, old] = cluster.servers as [DelosServerProcess, DelosServerProcess, DelosServerProcess]
    one.start(...flags('peer-', 'good'))
    two.start(...flags('peer-', 'good'))
    old.start(...flags('peer-', 'old'))
    await eventually('a write at the others', 30_000, async () => (await putKey(one.url, 'goes', 'on')) !== null)
    await says(one, 'refused a connection of another server', 'CERT_HAS_EXPIRED')
    await says(old, 'no connection to another server', 'it says: its certificate is not trusted: CERT_HAS_EXPIRED')
    await says(two, 'no connection to another server', 'CERT_HAS_EXPIRED')
    expect(await putKey(old.url, 'never', 'there', 8000)).toBeNull()
    await old.end('SIGKILL')
    old.start(...flags('peer-', 'good'))
    await eventually('a read there', 30_000, async () => (await getPrefix(old.url, 'goes')).get('goes')?.value === 'on')
  }, 240_000)

  const health = (url: string, name: string): Promise<string> =>
    new Promise((resolve) => {
      const args = ['-s', '-S', '--max-time', '5', '--cacert', file('ca.crt'), '--cert', file(`${name}.crt`), '--key', file(`${name}.key`)]
      execFile('curl', [...args, `${url}/health`], (_error, stdout, stderr) => resolve(stdout + stderr))
    })

  test('of a client is refused, and the log of the server says why; a good one is answered', async () => {
    cluster = await newDelosServers(1, ['--client-cert-auth'], { client: 'https', peer: 'http' })
    const [server] = cluster.servers as [DelosServerProcess]
    server.start(...flags('', 'good'))
    await eventually('an answer', 30_000, async () => (await health(server.url, 'good')).includes('"health":"true"'))
    expect(await health(server.url, 'old')).toMatch(/^curl: /)
    // The good one is for a day.
    await says(server, 'a certificate ends soon', file('good.crt'))
    await says(server, 'refused a connection of a client', 'its certificate is not trusted: CERT_HAS_EXPIRED')
  }, 180_000)

  test('of a server is refused by its clients, and the log of the server says why', async () => {
    cluster = await newDelosServers(1, [], { client: 'https', peer: 'http' })
    const [server] = cluster.servers as [DelosServerProcess]
    server.start(...flags('', 'old'))
    await eventually('the reason', 30_000, async () => (await health(server.url, 'good')).includes('certificate has expired'))
    await says(server, 'refused a connection of a client', 'certificate expired')
    await says(server, 'a certificate is over', file('old.crt'), '2020-01-02T00:00:00')
  }, 180_000)
})

test('a server of another cluster is refused, with the reason in the logs of both sides, and data of another cluster is not opened', async () => {
  cluster = await newDelosServers(3, ['--profile', 'wan'])
  const [one, two, other] = cluster.servers as [DelosServerProcess, DelosServerProcess, DelosServerProcess]
  one.start()
  two.start()
  other.start('--initial-cluster-token', 'another')
  await eventually('a write at the others', 30_000, async () => (await putKey(one.url, 'goes', 'on')) !== null)
  await says(one, 'refused a connection of another server', 'it is of cluster')
  await says(other, 'no connection to another server', 'it says: it is of cluster')
  expect(await putKey(other.url, 'never', 'there', 8000)).toBeNull()
  await other.end()
  other.start()
  await eventually('its end', 30_000, () => !other.isRunning())
  expect(other.output()).toContain('DELOS_WRONG_CLUSTER')
  expect(other.output()).toContain('or another --data-dir')
  expect(await other.end()).toBe(5)
}, 240_000)
