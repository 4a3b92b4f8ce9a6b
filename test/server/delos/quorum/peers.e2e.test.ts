import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { CHANNEL, openPeers, type PeerAddress, type Peers } from '../../../../src/server/delos/quorum/peers.ts'
import { createLogger } from '../../../../src/platform/logger.ts'
import { freePort } from '../../../support/free-port.ts'
import { eventually } from '../../../support/eventually.ts'

const open: Peers[] = []
afterEach(async () => {
  for (const peers of open.splice(0)) await peers.close()
})

interface Node {
  peers: Peers
  got: { from: bigint; channel: number; text: string }[]
  resets: bigint[]
}

async function start(self: bigint, peers: readonly PeerAddress[], clusterId = 7n): Promise<Node> {
  const node: Node = { peers: undefined as never, got: [], resets: [] }
  const { port } = peers.find(({ id }) => id === self) as PeerAddress
  node.peers = await openPeers({
    self,
    clusterId,
    listen: { host: '127.0.0.1', port },
    peers,
    tls: null,
    log: createLogger(null),
  })
  for (const channel of [CHANNEL.log, CHANNEL.aside])
    node.peers.onFrame(channel, (from, frame) => node.got.push({ from, channel, text: Buffer.from(frame).toString('latin1') }))
  node.peers.onReset((from) => node.resets.push(from))
  open.push(node.peers)
  return node
}

const trouble = ({ peers }: Node, id: bigint): string | null => peers.troubles().find((each) => each.id === id)?.reason ?? null

const addresses = async (...ids: bigint[]): Promise<PeerAddress[]> =>
  Promise.all(ids.map(async (id) => ({ id, host: '127.0.0.1', port: await freePort() })))

test('frames of any size arrive whole and in order, and a server that went away is told and found again', async () => {
  const where = await addresses(1n, 2n)
  const one = await start(1n, where)
  const two = await start(2n, where)
  await eventually('a connection', 20_000, () => trouble(one, 2n) === null)
  const channelOf = (size: number) => (size % 2 === 0 ? CHANNEL.log : CHANNEL.aside)
  const sizes = [0, 1, 3, 70_000, 5, 3_000_000, 2]
  for (const size of sizes) one.peers.send(2n, channelOf(size), Buffer.alloc(size, String(size % 10)))
  await eventually('all frames', 20_000, () => two.got.length === sizes.length)
  expect(two.got.map(({ text }) => text)).toEqual(sizes.map((size) => String(size % 10).repeat(size)))
  expect(two.got.map(({ channel }) => channel)).toEqual(sizes.map(channelOf))
  expect(new Set(two.got.map(({ from }) => from))).toEqual(new Set([1n]))

  await two.peers.close()
  open.splice(open.indexOf(two.peers), 1)
  await eventually('the end of it', 20_000, () => one.resets.includes(2n))
  one.peers.send(2n, 0, Buffer.from('lost'))
  await eventually('a word on why', 20_000, () => trouble(one, 2n) === 'ECONNREFUSED')
  const again = await start(2n, where)
  await eventually('a connection', 20_000, () => trouble(one, 2n) === null)
  one.peers.send(2n, 0, Buffer.from('found'))
  await eventually('the frame', 20_000, () => again.got.at(-1)?.text === 'found')
  expect(again.got).toHaveLength(1)
})

test('a server of another cluster, one that is no member, and what speaks no protocol of ours are refused', async () => {
  const where = await addresses(1n, 2n, 3n)
  const one = await start(1n, where)
  const stranger = await start(2n, where, 8n)
  await eventually('a word on why', 20_000, () => trouble(one, 2n) === 'it is of cluster 8')
  stranger.peers.send(1n, 0, Buffer.from('hello'))
  const garbage = connect({ host: '127.0.0.1', port: (where[0] as PeerAddress).port })
  garbage.on('error', () => {})
  let answer = ''
  garbage.on('data', (part: Buffer) => (answer += part.toString()))
  garbage.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  await eventually('the end of it', 20_000, () => garbage.destroyed)
  expect(answer).toBe('it does not speak this protocol')
  // Whoever is refused is told why.
  await eventually('a word on why, there', 20_000, () => trouble(stranger, 1n) === 'it says: it is of cluster 8')
  expect(one.got).toEqual([])
})

test('a server that says nothing for long is dialled anew: its connection may be dead, and TCP would find out only much later', async () => {
  let dialled = 0
  const mute = createServer((socket) => {
    dialled += 1
    socket.on('error', () => {}).resume()
  })
  mute.listen(0, '127.0.0.1')
  await once(mute, 'listening')
  const [self] = await addresses(1n)
  const { port } = mute.address() as AddressInfo
  const one = await start(1n, [self as PeerAddress, { id: 2n, host: '127.0.0.1', port }])
  await eventually('a word on why', 20_000, () => trouble(one, 2n) === 'it said nothing for 3 s')
  await eventually('another connection', 20_000, () => dialled > 1)
  await one.peers.close()
  open.splice(0)
  mute.close()
})

test('a server that dials anew takes the place of its older connection, whose end is then no end of the server', async () => {
  const where = await addresses(1n, 2n)
  const one = await start(1n, where)
  const hello = Buffer.alloc(24)
  hello.writeUInt32BE(0x6d757374, 0)
  hello.writeUInt32BE(1, 4)
  hello.writeBigUInt64BE(7n, 8)
  hello.writeBigUInt64BE(2n, 16)
  const frame = (text: string): Buffer => Buffer.concat([Buffer.from([0, 0, 0, text.length, 0]), Buffer.from(text)])
  const dial = async (text: string): Promise<ReturnType<typeof connect>> => {
    const socket = connect((where[0] as PeerAddress).port, '127.0.0.1')
    socket.on('error', () => {}).resume()
    socket.write(Buffer.concat([hello, frame(text)]))
    await eventually(text, 20_000, () => one.got.at(-1)?.text === text)
    return socket
  }
  const older = await dial('older')
  const newer = await dial('newer')
  await eventually('the end of the older one', 20_000, () => older.destroyed)
  expect(one.resets).toEqual([])
  newer.destroy()
  await eventually('the end of the server', 20_000, () => one.resets.length === 1)
})
