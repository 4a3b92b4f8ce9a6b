import { createServer, request, type IncomingMessage, type Server } from 'node:http'
import { connect, createServer as createNetServer, type AddressInfo, type Server as NetServer } from 'node:net'
import { duplexPair, Readable, type Duplex } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openLeaderLink, NOT_LEADER_HEADER, type LeaderLink } from '../../../src/server/following/leader-link.ts'
import { CALLER_HEADER, callerNamed, passOn, VIA_HEADER } from '../../../src/server/following/pass-on.ts'
import { textOf } from '../../../src/platform/streams.ts'

/** Servers 2 and 3, which are asked; server 1 takes the requests in. */
let backends: { http: Server; net: NetServer; handle: (request: IncomingMessage, body: string) => Answer }[]
let leader: bigint | null
let link: LeaderLink
let front: Server
/** Server 1 itself, as another server would ask it. */
let itself: Server
let isLeading: boolean
let url: string

interface Answer {
  status: number
  headers?: Record<string, string>
  body?: string
  /** the connection breaks instead */
  isLost?: boolean
}

const listen = (server: Server | NetServer): Promise<number> =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)))

beforeEach(async () => {
  leader = 2n
  isLeading = false
  backends = []
  const ports: number[] = []
  for (let i = 0; i < 2; i += 1) {
    const backend = { handle: (_request: IncomingMessage, body: string): Answer => ({ status: 200, body: `${i + 2}:${body}` }) }
    const http = createServer(async (asked, response) => {
      const { status, headers = {}, body = '', isLost } = own.handle(asked, await textOf(asked))
      if (isLost === true) return void asked.socket.destroy()
      response.writeHead(status, headers).end(body)
    })
    const net = createNetServer((socket) => void http.emit('connection', socket))
    const own = { ...backend, http, net }
    backends.push(own)
    ports.push(await listen(net))
  }
  const openClient = (to: bigint): Promise<ReturnType<typeof connect>> =>
    new Promise((resolve, reject) => {
      const socket = connect(ports[Number(to) - 2] as number, '127.0.0.1')
      socket.once('connect', () => resolve(socket))
      socket.once('error', reject)
    })
  const openSelf = (): Duplex => {
    const [ours, theirs] = duplexPair()
    itself.emit('connection', theirs)
    return ours
  }
  link = openLeaderLink({ self: 1n, openClient, openSelf, leader: () => leader })
  itself = createServer((_asked, response) => {
    if (isLeading) response.end('itself')
    else response.writeHead(503, { [NOT_LEADER_HEADER]: '1' }).end()
  })
  front = createServer(async (asked, response) => {
    const refusal = await passOn(asked, response, { actor: 'user:ann', role: 'operator' }, link)
    if (refusal !== null) response.writeHead(599).end(refusal.code)
  })
  url = `http://127.0.0.1:${await listen(front)}`
})

afterEach(() => {
  link.close()
  for (const { http, net } of backends) {
    http.closeAllConnections()
    net.close()
  }
  front.closeAllConnections()
  front.close()
})

const post = (body: string): Promise<{ status: number; text: string }> => ask('POST', body)

function ask(method: string, body: string | Readable): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sending = request(`${url}/v1/x?y=1`, { method, headers: { authorization: 'Bearer secret' } }, (answer) => {
      textOf(answer).then((text) => resolve({ status: answer.statusCode ?? 0, text }), reject)
    })
    sending.on('error', reject)
    if (typeof body === 'string') sending.end(body)
    else body.pipe(sending)
  })
}

test('the leader is asked on behalf of who asked, by way of this server, and without their secret', async () => {
  let seen: Record<string, unknown> = {}
  ;(backends[0] as (typeof backends)[0]).handle = ({ headers, url: path }, body) => {
    seen = { ...headers, path, body }
    return { status: 201, headers: { 'x-answer': 'yes' }, body: 'done' }
  }
  expect(await post('{"a":1}')).toEqual({ status: 201, text: 'done' })
  expect(seen).toMatchObject({ [CALLER_HEADER]: 'operator user:ann', [VIA_HEADER]: '1', path: '/v1/x?y=1', body: '{"a":1}' })
  expect(seen['authorization']).toBeUndefined()
})

test('a server that does not lead any more did nothing: the next one is asked the same', async () => {
  ;(backends[0] as (typeof backends)[0]).handle = () => {
    leader = 3n
    return { status: 503, headers: { [NOT_LEADER_HEADER]: '1' } }
  }
  expect(await post('once')).toEqual({ status: 200, text: '3:once' })
})

test('however often it is asked again, the answer has no listeners of the tries before', async () => {
  let times = 0
  const counts: number[] = []
  front.prependListener('request', (_asked, response) => void setInterval(() => counts.push(response.listenerCount('close')), 20).unref())
  ;(backends[0] as (typeof backends)[0]).handle = () => {
    times += 1
    if (times === 8) leader = 3n
    return { status: 503, headers: { [NOT_LEADER_HEADER]: '1' } }
  }
  expect(await post('often')).toEqual({ status: 200, text: '3:often' })
  expect(times).toBe(8)
  expect(Math.max(...counts)).toBeLessThan(6)
})

test('who cannot be reached was not asked: the next one is', async () => {
  const [dead] = backends as [(typeof backends)[0]]
  await new Promise((resolve) => dead.net.close(resolve))
  setTimeout(() => (leader = 3n), 200)
  expect(await post('once')).toEqual({ status: 200, text: '3:once' })
})

test('a change whose answer is lost is not asked again; a look is', async () => {
  let times = 0
  ;(backends[0] as (typeof backends)[0]).handle = () => {
    times += 1
    leader = 3n
    return { status: 0, isLost: true }
  }
  expect(await post('once')).toEqual({ status: 599, text: 'DELOS_OUTCOME_UNKNOWN' })
  expect(times).toBe(1)
  leader = 2n
  expect(await ask('GET', '')).toEqual({ status: 200, text: '3:' })
})

test('without a leader one is waited for, and then that is said', async () => {
  leader = null
  setTimeout(() => (leader = 3n), 300)
  expect(await post('late')).toEqual({ status: 200, text: '3:late' })
  leader = null
  expect(await post('never')).toEqual({ status: 599, text: 'DELOS_NO_QUORUM' })
}, 15_000)

test('a server to which the lead has come answers itself what it was asked before it took it', async () => {
  leader = 1n
  setTimeout(() => (isLeading = true), 300)
  expect(await post('now')).toEqual({ status: 200, text: 'itself' })
})

test('a stream is passed on as it comes, however long it is', async () => {
  const parts = Array.from({ length: 200 }, () => Buffer.alloc(64 * 1024, 'x'))
  ;(backends[0] as (typeof backends)[0]).handle = (_asked, body) => ({ status: 200, body: String(body.length) })
  expect(await ask('POST', Readable.from(parts))).toEqual({ status: 200, text: String(200 * 64 * 1024) })
})

test('another server names who asks, in one form alone', () => {
  expect(callerNamed('admin token:ci')).toEqual({ role: 'admin', actor: 'token:ci' })
  for (const bad of [undefined, '', 'root user:ann', 'admin', 'admin a b', ['admin a', 'admin b']])
    expect(() => callerNamed(bad)).toThrow('on whose behalf')
})
