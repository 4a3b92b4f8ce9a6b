import { once } from 'node:events'
import { connect as connectPlain, createServer as createPlainServer, type AddressInfo } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterEach, expect, test, vi } from 'vitest'
import { MusterError } from '../../../../src/core/kernel/errors.ts'
import {
  makeAuthority,
  makeKey,
  makeRequest,
  newSerial,
  signRequest,
  fingerprintOf,
  type AuthorityPair,
} from '../../../../src/platform/certificates.ts'
import { createLogger } from '../../../../src/platform/logger.ts'
import { tlsOf } from '../../../../src/server/delos/membership/key-files.ts'
import { askToJoin } from '../../../../src/server/delos/quorum/ask-to-join.ts'
import {
  CHANNEL,
  openPeers,
  type PeerAddress,
  type Peers,
  type PeersOptions,
  type PeerTls,
} from '../../../../src/server/delos/quorum/peers.ts'
import { serverUri } from '../../../../src/platform/certificate-uri.ts'
import { eventually } from '../../../support/eventually.ts'
import { freePort } from '../../../support/free-port.ts'

const DAY_MS = 86_400_000
const open: { close: () => Promise<void> }[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const each of open.splice(0)) await each.close()
})

const authority = (): Promise<AuthorityPair> =>
  makeAuthority({ name: 'muster test', notBeforeMs: Date.now() - 300 * DAY_MS, notAfterMs: Date.now() + 300 * DAY_MS })

/** A certificate of a server, or of one that does not say which. */
async function tlsFor(ca: AuthorityPair, id: bigint | null, untilMs = Date.now() + DAY_MS): Promise<PeerTls> {
  const key = makeKey()
  const certificate = await signRequest(ca, await makeRequest(key, 'x'), {
    ...{ name: 'x', names: ['127.0.0.1'], serial: newSerial(), notBeforeMs: Date.now() - 200 * DAY_MS, notAfterMs: untilMs },
    uri: id === null ? 'https://example.org/' : serverUri(id.toString(16).padStart(16, '0')),
  })
  return tlsOf({ certificate, key }, ca.certificate)
}

interface Node {
  peers: Peers
  got: string[]
  /** what its log says */
  lines: string[]
}

async function start(self: bigint, where: readonly PeerAddress[], tls: PeerTls | null, more: Partial<PeersOptions> = {}): Promise<Node> {
  const { port } = where.find(({ id }) => id === self) as PeerAddress
  const lines: string[] = []
  const log = createLogger(null, (_level, message, fields) => lines.push(`${message}: ${String(fields['reason'])}`))
  const peers = await openPeers({ self, clusterId: 7n, listen: { host: '127.0.0.1', port }, peers: where, tls, log, ...more })
  const got: string[] = []
  peers.onFrame(CHANNEL.log, (from, frame) => got.push(`${from} ${Buffer.from(frame).toString()}`))
  open.push(peers)
  return { peers, got, lines }
}

const addresses = async (...ids: bigint[]): Promise<PeerAddress[]> =>
  Promise.all(ids.map(async (id) => ({ id, host: '127.0.0.1', port: await freePort() })))
const trouble = ({ peers }: Node, id: bigint): string | null => peers.troubles().find((each) => each.id === id)?.reason ?? null
const troubled = (node: Node, id: bigint, reason: string): Promise<true> =>
  eventually(reason, 20_000, () => trouble(node, id) === reason || null)
const speaks = async (one: Node, two: Node, word: string): Promise<void> => {
  await eventually('a connection', 20_000, () => trouble(one, 2n) === null || null)
  one.peers.send(2n, CHANNEL.log, Buffer.from(word))
  await eventually('the frame', 20_000, () => two.got.includes(`1 ${word}`) || null)
}

test('servers with certificates that say who they are speak; a renewed one is shown to whoever comes later', async () => {
  const ca = await authority()
  const where = await addresses(1n, 2n)
  const one = await start(1n, where, await tlsFor(ca, 1n))
  const two = await start(2n, where, await tlsFor(ca, 2n))
  await speaks(one, two, 'hello')
  const serialOf = async (): Promise<string | undefined> => {
    const socket = connectTls({ port: (where[1] as PeerAddress).port, host: '127.0.0.1', rejectUnauthorized: false })
    socket.on('error', () => {})
    await once(socket, 'secureConnect')
    const found = socket.getPeerX509Certificate()?.serialNumber
    socket.end()
    return found
  }
  const before = await serialOf()
  two.peers.useTls(await tlsFor(ca, 2n))
  expect(await serialOf()).not.toBe(before)
  // What stands, stays.
  await speaks(one, two, 'again')
})

test('a certificate of another authority, one that is over, and one of another server are refused, with the reason on both sides', async () => {
  const ca = await authority()
  const where = await addresses(1n, 2n, 3n, 4n)
  const one = await start(1n, where, await tlsFor(ca, 1n))
  const cases: [bigint, PeerTls, string][] = [
    [2n, await tlsFor(await authority(), 2n), 'its certificate is not trusted: SELF_SIGNED_CERT_IN_CHAIN'],
    [3n, await tlsFor(ca, 3n, Date.now() - DAY_MS), 'its certificate is not trusted: CERT_HAS_EXPIRED'],
    [4n, await tlsFor(ca, 9n), 'its certificate is of server 9, and not of 4'],
  ]
  for (const [id, tls, reason] of cases) {
    const wrong = await start(id, where, tls)
    // Whoever dials it finds out, and so does whom it dials.
    await troubled(one, id, reason)
    await eventually('the reason in the log', 20_000, () => one.lines.includes(`refused a connection of another server: ${reason}`) || null)
    // Of another authority, it trusts the others as little as they do it.
    await troubled(wrong, 1n, id === 2n ? reason : `it says: ${reason}`)
    wrong.peers.send(1n, CHANNEL.log, Buffer.from('never'))
  }
  expect(one.got).toEqual([])
})

test('where our own certificate says a server, one that says none is refused; where none does, as with an authority of somebody else, all go on', async () => {
  const ca = await authority()
  const where = await addresses(1n, 2n)
  const named = await start(1n, where, await tlsFor(ca, 1n))
  const nameless = await start(2n, where, await tlsFor(ca, null))
  await troubled(nameless, 1n, 'it says: its certificate does not say which server it is of')
  await troubled(named, 2n, 'its certificate does not say which server it is of')
  for (const each of open.splice(0)) await each.close()
  const one = await start(1n, where, await tlsFor(ca, null))
  const two = await start(2n, where, await tlsFor(ca, null))
  await speaks(one, two, 'hello')
})

test('a server that was removed is refused as such, on both sides', async () => {
  const ca = await authority()
  const where = await addresses(1n, 2n)
  const one = await start(1n, where, await tlsFor(ca, 1n), { isRemoved: (id) => id === 2n })
  const two = await start(2n, where, await tlsFor(ca, 2n))
  await troubled(two, 1n, 'it says: server 2 was removed from the cluster')
  await eventually(
    'the reason in the log',
    60_000,
    () => one.lines.some((line) => line.endsWith('server 2 was removed from the cluster')) || null,
  )
})

test('a server alone has no certificate before it needs one', async () => {
  const ca = await authority()
  const where = await addresses(1n, 2n)
  const two = await start(2n, where, await tlsFor(ca, 2n))
  const { createPeers } = await import('../../../../src/server/delos/quorum/peers.ts')
  const port = (where[0] as PeerAddress).port
  const one = createPeers({ self: 1n, clusterId: 7n, listen: { host: '127.0.0.1', port }, peers: [], tls: null, log: createLogger(null) })
  open.push(one)
  one.useTls(await tlsFor(ca, 1n))
  one.update(where)
  await one.listen()
  await eventually('both connections', 20_000, () => (one.troubles().length === 0 && two.peers.troubles().length === 0) || null)
})

const joinable = async (
  join: NonNullable<PeersOptions['join']>,
): Promise<{ node: Node; ca: AuthorityPair; address: { host: string; port: number } }> => {
  const ca = await authority()
  const where = await addresses(1n)
  const node = await start(1n, where, await tlsFor(ca, 1n), { join })
  return { node, ca, address: { host: '127.0.0.1', port: (where[0] as PeerAddress).port } }
}

test('who comes without a certificate may ask to join: an answer and a refusal come back as they are', async () => {
  const asked: unknown[] = []
  const { ca, address, node } = await joinable(async (request) => {
    asked.push(request)
    if (asked.length > 1) throw new MusterError('DELOS_TOKEN_USED', 'no more')
    return { cluster: 'x', big: 'y'.repeat(1_000_000) }
  })
  const fingerprint = fingerprintOf(ca.certificate)
  expect(await askToJoin(address, fingerprint, { secret: 'é' })).toMatchObject({ cluster: 'x', big: expect.stringMatching(/^y{1000000}$/) })
  await expect(askToJoin(address, fingerprint, { n: 2 })).rejects.toMatchObject({ code: 'DELOS_TOKEN_USED', message: 'no more', exit: 4 })
  expect(asked).toEqual([{ secret: 'é' }, { n: 2 }])
  expect(node.lines).toContain('a server was not let in: no more')
})

test('nothing is said to a server that is not of the authority that the token names, or whose certificate is over', async () => {
  const asked: unknown[] = []
  const { address, ca, node } = await joinable(async (request) => {
    asked.push(request)
    return {}
  })
  await expect(askToJoin(address, 'f'.repeat(43), { secret: 's' })).rejects.toMatchObject({ code: 'DELOS_WRONG_CA', exit: 4 })
  node.peers.useTls(await tlsFor(ca, 1n, Date.now() - DAY_MS))
  await expect(askToJoin(address, fingerprintOf(ca.certificate), { secret: 's' })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('CERT_HAS_EXPIRED'),
  })
  // Its chain ends in the right authority, which did not sign it.
  const other = await authority()
  const forged = await tlsFor(other, 1n)
  node.peers.useTls({
    ...forged,
    cert: Buffer.from(`${forged.cert.toString().split('\n-----END')[0]}\n-----END CERTIFICATE-----\n${ca.certificate}`),
  })
  await expect(askToJoin(address, fingerprintOf(ca.certificate), { secret: 's' })).rejects.toBeInstanceOf(MusterError)
  expect(asked).toEqual([])
})

test('whoever answers without TLS, not at all, or nowhere is named', async () => {
  const plain = createPlainServer((socket) => socket.on('error', () => {}).end('SSH-2.0-OpenSSH\r\n'))
  plain.listen(0, '127.0.0.1')
  await once(plain, 'listening')
  open.push({ close: async () => void plain.close() })
  const { port } = plain.address() as AddressInfo
  await expect(askToJoin({ host: '127.0.0.1', port }, 'f'.repeat(43), {})).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining(`127.0.0.1:${port}`),
  })
  const nowhere = await freePort()
  await expect(askToJoin({ host: '127.0.0.1', port: nowhere }, 'f'.repeat(43), {})).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('ECONNREFUSED'),
  })
})

/** Speaks TLS without a certificate and gives what comes back until the end. */
async function say(port: number, ...parts: (string | Buffer)[]): Promise<string> {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
  socket.on('error', () => {})
  let answer = ''
  socket.on('data', (part: Buffer) => (answer += part.toString()))
  await once(socket, 'secureConnect')
  for (const part of parts) socket.write(part)
  await once(socket, 'close')
  return answer
}

test('a request that is too long, no JSON, or too slow is refused with why, and the port goes on', async () => {
  const { address, ca } = await joinable(async () => ({ fine: true }))
  const { port } = address
  expect(JSON.parse(await say(port, 'x'.repeat(70_000)))).toMatchObject({
    error: { code: 'USAGE', message: expect.stringContaining('longer than 65536 bytes') },
  })
  expect(JSON.parse(await say(port, 'GET / HTTP/1.1\r\n'))).toMatchObject({
    error: { code: 'USAGE', message: expect.stringContaining('not JSON') },
  })
  const slow = say(port, '{"secret":')
  const garbage = connectPlain({ port, host: '127.0.0.1' })
  garbage.on('error', () => {}).resume()
  garbage.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  await once(garbage, 'close')
  expect(await askToJoin(address, fingerprintOf(ca.certificate), {})).toEqual({ fine: true })
  expect(JSON.parse(await slow)).toMatchObject({ error: { code: 'TIMEOUT', message: expect.stringContaining('within 5 s') } })
}, 60_000)

test('of more requests at once than are taken the next is told so, and there is room again when they are over', async () => {
  const { address, ca } = await joinable(async () => ({ fine: true }))
  const busy = await Promise.all(
    Array.from({ length: 16 }, async () => {
      const socket = connectTls({ port: address.port, host: '127.0.0.1', rejectUnauthorized: false })
      socket.on('error', () => {})
      await once(socket, 'secureConnect')
      socket.write('{')
      return socket
    }),
  )
  const fingerprint = fingerprintOf(ca.certificate)
  const refused = eventually('a refusal', 20_000, () =>
    askToJoin(address, fingerprint, {}).then(
      () => null,
      (error: MusterError) => error,
    ),
  )
  expect(await refused).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('16 servers are asking') })
  for (const socket of busy) socket.destroy()
  await eventually('an answer', 20_000, () => askToJoin(address, fingerprint, {}))
}, 60_000)

test('without a token to be had nobody gets in who has no certificate', async () => {
  const ca = await authority()
  const where = await addresses(1n)
  await start(1n, where, await tlsFor(ca, 1n))
  const answer = await say((where[0] as PeerAddress).port, '{}\n')
  expect(answer).toContain('its certificate is not trusted')
})

test('who connects and says nothing is let go of', async () => {
  const where = await addresses(1n)
  await start(1n, where, null)
  const socket = connectPlain({ port: (where[0] as PeerAddress).port, host: '127.0.0.1' })
  let said = ''
  socket.on('data', (part: Buffer) => (said += part.toString()))
  await once(socket, 'close')
  expect(said).toBe('it said nothing for 5 s')
}, 60_000)
