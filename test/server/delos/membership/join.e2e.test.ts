import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { CommandDef } from '../../../../src/core/contracts/operation.ts'
import { formatJoinToken, parseJoinToken, type JoinToken } from '../../../../src/core/contracts/join-token.ts'
import { memberIssue } from '../../../../src/core/delos/operations.ts'
import { delosSystem } from '../../../../src/core/delos/system.ts'
import { genesis } from '../../../../src/core/delos/virtual-log/genesis.ts'
import type { RegisterValue } from '../../../../src/core/delos/virtual-log/value.ts'
import { isRefusal, MusterError } from '../../../../src/core/kernel/errors.ts'
import { fingerprintOf, readCertificate } from '../../../../src/platform/certificates.ts'
import { createLogger } from '../../../../src/platform/logger.ts'
import { statePaths, type StatePaths } from '../../../../src/platform/paths.ts'
import { openAuthority, type Authority } from '../../../../src/server/delos/membership/authority.ts'
import { joinFleet, type Joined, type JoinWish } from '../../../../src/server/delos/membership/join.ts'
import { readJoined } from '../../../../src/server/delos/membership/joined.ts'
import { letIn, type NewMember } from '../../../../src/server/delos/membership/let-in.ts'
import { createTokenAction } from '../../../../src/server/delos/membership/tokens.ts'
import { CHANNEL, createPeers, type Peers } from '../../../../src/server/delos/quorum/peers.ts'
import type { ServerHost } from '../../../../src/server/host.ts'
import { readIdentity, type Identity } from '../../../../src/server/state/identity.ts'
import { eventually } from '../../../support/eventually.ts'
import { freePort } from '../../../support/free-port.ts'
import { newState, type TestState } from '../../../support/state.ts'

const ends: (() => void | Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

function newPaths(): StatePaths {
  const root = mkdtempSync(join(tmpdir(), 'muster-join-'))
  ends.push(() => rmSync(root, { recursive: true, force: true }))
  return statePaths('test', { MUSTER_STATE_DIR: root })
}

function newIdentity(name: string): Identity {
  const id = (): string => randomBytes(8).toString('hex')
  return { cluster: id(), server: id(), name }
}

interface Host {
  state: TestState
  identity: Identity
  authority: Authority
  peers: Peers
  port: number
  paths: StatePaths
  added: NewMember[]
  removed: string[]
  token: (wanted?: { ttlMs?: number; uses?: number }) => Promise<string>
  /** what happens between the member being added and the answer */
  afterAdding: () => void
}

/** A cluster of one server, as far as joining has to do with it: a state, an authority and a port. */
async function newHost(): Promise<Host> {
  const paths = newPaths()
  const identity = newIdentity('a')
  const state = newState([delosSystem], Date.now())
  const logger = createLogger(null)
  const authority = openAuthority({ keysDir: paths.keys, identity, hosts: () => ['127.0.0.1'], now: Date.now, logger })
  const run = (async (command: CommandDef, input: unknown, actor: string) => state.run(command, input, actor)) as ServerHost['run']
  const port = await freePort()
  let servers: RegisterValue['servers'] = genesis(identity.cluster, [
    { id: identity.server, name: 'a', addresses: [`https://127.0.0.1:${port}`] },
  ]).servers
  const host = { state, identity, authority, port, paths, added: [] as NewMember[], removed: [] as string[], afterAdding: () => {} }
  const addMember = async (member: NewMember) => {
    host.added.push(member)
    if (!servers.some(({ id }) => id === member.server))
      servers = [
        ...servers,
        {
          server: servers.length + 1,
          id: member.server,
          name: member.name,
          addresses: [`https://${member.address}`],
          role: 'learner',
          incarnation: 1,
        },
      ]
    host.afterAdding()
    const value = { ...genesis(identity.cluster, [{ id: identity.server, name: 'a', addresses: [] }]), servers }
    return { control: value, kv: value }
  }
  const peers = createPeers({
    ...{ self: BigInt(`0x${identity.server}`), clusterId: BigInt(`0x${identity.cluster}`), peers: [], tls: null, log: logger },
    listen: { host: '127.0.0.1', port },
    join: (request) => letIn(request, { authority, identity, run, removed: () => host.removed, addMember }),
  })
  ends.push(
    () => authority.stop(),
    () => peers.close(),
  )
  const open = async (): Promise<string> => {
    peers.useTls(await authority.tls())
    await peers.listen()
    return `127.0.0.1:${port}`
  }
  const act = createTokenAction({ authority, identity, run, position: () => state.entries.length + 1, open })
  const who = { actor: 'user:test', role: 'admin' as const, signal: new AbortController().signal }
  const token = async ({ ttlMs = 60_000, uses = 1 } = {}): Promise<string> => {
    const { value } = await act({ ttlMs, uses }, who, { isPlan: false, apply: undefined })
    return (value as { token: string }).token
  }
  return Object.assign(host, { peers, token })
}

const joins = (token: string, paths: StatePaths, name = 'b', more: Partial<JoinWish> = {}): Promise<Joined> =>
  joinFleet({ token, name, peersAddress: '127.0.0.1:7999', isVoter: false, paths, ...more })

const partsOf = (token: string): JoinToken => {
  const parsed = parseJoinToken(token)
  if (isRefusal(parsed)) throw parsed
  return parsed
}

const typesOf = ({ state }: Host): string[] => state.entries.map(({ type }) => type.replace('delos.', ''))

test('a server comes in by a token, and then speaks with the others by its certificate; the secret is nowhere', async () => {
  const host = await newHost()
  expect(readdirSync(host.paths.root)).toEqual([])
  const token = await host.token()
  const paths = newPaths()
  const joined = await joins(token, paths)
  expect(joined.identity).toEqual({ cluster: host.identity.cluster, server: host.added[0]?.server, name: 'b' })
  expect(readIdentity(paths)).toEqual(joined.identity)
  expect(readJoined(paths.root)).toEqual(joined.registers)
  expect(joined.registers.kv.servers).toHaveLength(2)
  expect(host.added).toEqual([{ server: joined.identity.server, name: 'b', address: '127.0.0.1:7999', isVoter: false }])
  expect(readdirSync(paths.keys).sort()).toEqual(['ca.pem', 'server.pem'])
  for (const file of ['keys/ca.pem', 'keys/server.pem', 'identity.json', 'joined.json'])
    expect(statSync(join(paths.root, file)).mode & 0o777).toBe(0o600)
  expect(JSON.stringify(host.state.entries)).not.toContain(partsOf(token).secret)
  expect(typesOf(host)).toEqual(['JoinTokenIssued', 'JoinTokenUsed', 'CertificateIssued'])

  const port = await freePort()
  const there = { id: BigInt(`0x${host.identity.server}`), host: '127.0.0.1', port: host.port }
  const self = { id: joined.self, host: '127.0.0.1', port }
  const peers = createPeers({
    self: joined.self,
    clusterId: joined.clusterId,
    listen: self,
    peers: [there],
    tls: joined.tls,
    log: createLogger(null),
  })
  ends.push(() => peers.close())
  await peers.listen()
  host.peers.update([self])
  const got: string[] = []
  host.peers.onFrame(CHANNEL.aside, (from, frame) => got.push(`${from.toString(16)} ${Buffer.from(frame).toString()}`))
  await eventually('both connections', 20_000, () => (peers.troubles().length === 0 && host.peers.troubles().length === 0) || null)
  peers.send(there.id, CHANNEL.aside, Buffer.from('hello'))
  await eventually('the frame', 20_000, () => got.length > 0)
  expect(got).toEqual([`${joined.self.toString(16)} hello`])
})

test('a used, an unknown and an expired token, and one for another cluster, are refused; nothing is a member and nothing is kept', async () => {
  const host = await newHost()
  const token = await host.token()
  await joins(token, newPaths())
  const paths = newPaths()
  await expect(joins(token, paths, 'c')).rejects.toMatchObject({ code: 'DELOS_TOKEN_USED', exit: 4 })
  const unknown = formatJoinToken({ ...partsOf(token), secret: 'x'.repeat(43) })
  await expect(joins(unknown, paths, 'c')).rejects.toMatchObject({ code: 'DELOS_TOKEN_UNKNOWN' })
  const short = await host.token({ ttlMs: 1000 })
  host.state.advance(1000)
  await expect(joins(short, paths, 'c')).rejects.toMatchObject({ code: 'DELOS_TOKEN_EXPIRED' })
  const wrongCa = formatJoinToken({ ...partsOf(await host.token()), fingerprint: 'f'.repeat(43) })
  await expect(joins(wrongCa, paths, 'c')).rejects.toMatchObject({ code: 'DELOS_WRONG_CA' })
  expect(host.added).toHaveLength(1)
  expect(readIdentity(paths)).toBeNull()
  expect(readdirSync(paths.keys)).toEqual(['joining.pem'])
  // Refused, it may still come: with a good one.
  expect((await joins(await host.token(), paths, 'c')).identity.name).toBe('c')
})

test('an answer that was lost is asked for again: one use, one member, one certificate', async () => {
  const host = await newHost()
  const token = await host.token()
  const paths = newPaths()
  let losses = 2
  host.afterAdding = () => {
    losses -= 1
    if (losses >= 0) throw new MusterError(losses === 1 ? 'UNAVAILABLE' : 'DELOS_NOT_LEADER', 'lost')
  }
  const joined = await joins(token, paths)
  expect(host.added.map(({ server }) => server)).toEqual(Array(3).fill(joined.identity.server))
  expect(typesOf(host).filter((type) => type === 'JoinTokenUsed')).toHaveLength(1)
  expect(host.state.db.get('SELECT count(*) AS n FROM delos_cert')).toEqual({ n: 1 })
  expect(joined.registers.control.servers).toHaveLength(2)
})

test('a crash at any moment leaves a directory that joins again as the same server', async () => {
  const host = await newHost()
  const token = await host.token()
  const paths = newPaths()
  const first = await joins(token, paths)
  const server = readFileSync(join(paths.keys, 'server.pem'), 'utf8')
  const key = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n/.exec(server)?.[0] as string
  // In the order in which they are written; each crash has the files up to there.
  const written = ['keys/ca.pem', 'keys/server.pem', 'joined.json']
  for (let kept = 0; kept <= written.length; kept += 1) {
    writeFileSync(join(paths.keys, 'joining.pem'), key)
    for (const file of [...written.slice(kept), 'identity.json']) rmSync(join(paths.root, file))
    const again = await joins(token, paths)
    expect(again.identity).toEqual(first.identity)
    expect(readdirSync(paths.keys).sort()).toEqual(['ca.pem', 'server.pem'])
  }
  expect(typesOf(host).filter((type) => type === 'JoinTokenUsed')).toHaveLength(1)
})

test('a state of its own is never overwritten, and one that has joined is told so', async () => {
  const host = await newHost()
  const token = await host.token()
  const used = newPaths()
  mkdirSync(join(used.log, 'control'), { recursive: true })
  await expect(joins(token, used)).rejects.toMatchObject({
    code: 'DELOS_STATE_NOT_EMPTY',
    message: expect.stringContaining(used.log),
    hint: expect.stringContaining('--purge'),
  })
  const other = newPaths()
  const { keys, root } = other
  await openAuthority({ keysDir: keys, identity: newIdentity('x'), hosts: () => [], now: Date.now, logger: createLogger(null) }).pair()
  await expect(joins(token, other)).rejects.toMatchObject({
    code: 'DELOS_STATE_NOT_EMPTY',
    message: expect.stringContaining('cluster of its own'),
  })
  expect(readdirSync(root)).toEqual(['keys'])
  expect(host.added).toEqual([])
  const paths = newPaths()
  await joins(token, paths)
  await expect(joins(token, paths)).rejects.toMatchObject({ code: 'DELOS_STATE_NOT_EMPTY', hint: 'Start it without --join.' })
})

test('a removed server does not come back with its key; a wrong name, address, token or request is refused before anything is done', async () => {
  const host = await newHost()
  const token = await host.token({ uses: 2 })
  const paths = newPaths()
  await expect(joins('muster1.x', paths)).rejects.toMatchObject({ code: 'USAGE' })
  await expect(joins(token, paths, 'a b')).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining('"a b"') })
  await expect(joins(token, paths, 'b', { peersAddress: 'nowhere' })).rejects.toMatchObject({ code: 'USAGE' })
  expect(readdirSync(paths.root)).toEqual([])
  host.afterAdding = () => {
    host.removed.push(host.added.at(-1)?.server as string)
    throw new MusterError('TIMEOUT', 'too slow')
  }
  await expect(joins(token, paths)).rejects.toMatchObject({ code: 'TIMEOUT' })
  await expect(joins(token, paths)).rejects.toMatchObject({
    code: 'DELOS_MEMBER_REMOVED',
    hint: expect.stringContaining('empty state directory'),
  })
  const side = {
    authority: host.authority,
    identity: host.identity,
    run: (() => {
      throw new Error('never asked')
    }) as never,
    removed: () => [],
    addMember: (() => {
      throw new Error('never asked')
    }) as never,
  }
  await expect(letIn({ secret: 1 }, side)).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining('secret') })
  await expect(letIn({ secret: 's'.repeat(43), csr: 'x', name: 'b', address: 'h:1', isVoter: false }, side)).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining('signing request'),
  })
})

test('a plan makes no token, and is carried out only if the same is asked for', async () => {
  const paths = newPaths()
  const identity = newIdentity('a')
  const authority = openAuthority({ keysDir: paths.keys, identity, hosts: () => [], now: Date.now, logger: createLogger(null) })
  const state = newState([delosSystem])
  const run = (async (command: CommandDef, input: unknown, actor: string) => state.run(command, input, actor)) as ServerHost['run']
  const act = createTokenAction({ authority, identity, run, position: () => state.entries.length + 1, open: async () => 'h:1' })
  const who = { actor: 'user:test', role: 'admin' as const, signal: new AbortController().signal }
  const { value, plan } = await act({ ttlMs: 1000, uses: 2 }, who, { isPlan: true, apply: undefined })
  expect(value).toBeNull()
  expect(plan).toMatchObject({ entries: [{ type: 'delos.JoinTokenIssued', body: { ttlMs: 1000, uses: 2 } }] })
  expect([state.entries, readdirSync(paths.root)]).toEqual([[], []])
  const { id } = plan as { id: string }
  await expect(act({ ttlMs: 1000, uses: 3 }, who, { isPlan: false, apply: id })).rejects.toMatchObject({ code: 'PLAN_STALE' })
  expect((await act({ ttlMs: 1000, uses: 2 }, who, { isPlan: false, apply: id })).value).toMatchObject({ uses: 2, address: 'h:1' })
  expect(state.entries.map(({ type }) => type)).toEqual(['delos.JoinTokenIssued'])
  expect(memberIssue.input.safeParse({ hash: 'x', ttlMs: 1, uses: 0 }).success).toBe(false)
})

test('a certificate is made anew after two thirds of its life, kept until then, and told to whoever shows it', async () => {
  const paths = newPaths()
  let now = Date.now()
  const day = 86_400_000
  const options = {
    keysDir: paths.keys,
    identity: newIdentity('a'),
    hosts: () => ['127.0.0.1'],
    now: () => now,
    logger: createLogger(null),
  }
  const authority = openAuthority(options)
  ends.push(() => authority.stop())
  const told: string[] = []
  authority.onOwn((tls, issued) => told.push(`${issued.serial} ${readCertificate(tls.cert).serial === issued.serial}`))
  const first = readCertificate((await authority.tls()).cert)
  expect(first.notAfterMs - first.notBeforeMs).toBe(90 * day)
  now = first.notBeforeMs + 60 * day - 1
  expect(await authority.renewIfDue()).toBe(false)
  // Also by a process that starts.
  expect(readCertificate((await openAuthority(options).tls()).cert).serial).toBe(first.serial)
  now += 1
  expect(await authority.renewIfDue()).toBe(true)
  const second = readCertificate((await authority.tls()).cert)
  expect(second.serial).not.toBe(first.serial)
  expect(second.notAfterMs).toBeGreaterThan(now + 89 * day)
  expect(told).toEqual([`${first.serial} true`, `${second.serial} true`])
  const again = openAuthority(options)
  ends.push(() => again.stop())
  expect(readCertificate((await again.tls()).cert).serial).toBe(second.serial)
  expect(await again.fingerprint()).toBe(fingerprintOf((await authority.pair()).certificate))
})

test('an authority that is gone, or damaged, is not made anew where certificates were given out', async () => {
  const paths = newPaths()
  const options = { keysDir: paths.keys, identity: newIdentity('a'), hosts: () => [], now: Date.now, logger: createLogger(null) }
  const authority = openAuthority(options)
  ends.push(() => authority.stop())
  await authority.tls()
  const file = join(paths.keys, 'ca.pem')
  const whole = readFileSync(file, 'utf8')
  writeFileSync(file, whole.slice(0, 300))
  await expect(openAuthority(options).pair()).rejects.toMatchObject({
    code: 'STATE_UNREADABLE',
    message: expect.stringContaining('ca.pem'),
  })
  rmSync(file)
  const without = openAuthority(options)
  await expect(without.pair()).rejects.toMatchObject({ code: 'STATE_UNREADABLE', message: expect.stringContaining('is gone') })
  // Put back, it is found without a restart.
  writeFileSync(file, whole)
  expect((await without.pair()).certificate).toBe((await authority.pair()).certificate)
  writeFileSync(join(paths.root, 'joined.json'), '{"control":')
  expect(() => readJoined(paths.root)).toThrow(/joined\.json/)
})
