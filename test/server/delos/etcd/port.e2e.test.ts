import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createConnection } from 'node:net'
import * as grpc from '@grpc/grpc-js'
import type protobuf from 'protobufjs'
import { afterEach, describe, expect, test } from 'vitest'
import { METHODS } from '../../../../src/core/delos/wire/methods.ts'
import type { EtcdService } from '../../../../src/core/delos/wire/service.ts'
import { openEtcdPort, type EtcdPort, type EtcdPortOptions } from '../../../../src/server/delos/etcd/port.ts'
import { FLAG, FRAME } from '../../../../src/core/delos/wire/http2/frames.ts'
import { frame, joined, Peer, PREFACE_BYTES, prefixed, uint32 } from '../../../core/delos/wire/h2-peer.ts'
import { loadEtcdProto } from '../../../core/delos/wire/etcd-proto.ts'
import { mapService } from './map-service.ts'

const root = loadEtcdProto()
const LIKE_JSON = { longs: String, enums: String }
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

async function open(options: Partial<EtcdPortOptions> = {}): Promise<EtcdPort> {
  const port = await openEtcdPort({ host: '127.0.0.1', port: 0, service: mapService().service, pages: {}, ...options })
  closing.push(() => port.close(200))
  return port
}

function connect(port: EtcdPort, credentials = grpc.credentials.createInsecure(), options: grpc.ClientOptions = {}): grpc.Client {
  const client = new grpc.Client(`localhost:${port.port}`, credentials, {
    'grpc.max_receive_message_length': -1,
    'grpc.use_local_subchannel_pool': 1,
    ...options,
  })
  closing.push(() => client.close())
  return client
}

type Name = keyof EtcdService
type Answer = Record<string, unknown>

/** How grpc-js sends and reads this method, with protobufjs: none of it is ours. */
function wire(name: Name): { path: string; write: (message: Answer) => Buffer; read: (bytes: Buffer) => Answer } {
  const { path, request, response } = METHODS[name]
  const [from, to] = [root.lookupType(request.schema.name), root.lookupType(response.schema.name)] as [protobuf.Type, protobuf.Type]
  return {
    path,
    write: (message) => Buffer.from(from.encode(from.fromObject(message)).finish()),
    read: (bytes) => to.toObject(to.decode(bytes), LIKE_JSON),
  }
}

interface Outcome {
  error: grpc.ServiceError | null
  answer: Answer
}

function call(
  client: grpc.Client,
  name: Name,
  message: Answer,
  metadata = new grpc.Metadata(),
  options: grpc.CallOptions = {},
): Promise<Outcome> {
  const { path, write, read } = wire(name)
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, write, read, message, metadata, options, (error, answer) => resolve({ error, answer: answer ?? {} }))
  })
}

type Stream = grpc.ClientDuplexStream<Answer, Answer>

function stream(client: grpc.Client, name: Name): Stream {
  const { path, write, read } = wire(name)
  return client.makeBidiStreamRequest(path, write, read)
}

/** The next answer; between two calls the stream stands still, so none is missed. */
function next(from: Stream): Promise<Answer> {
  return new Promise((resolve) => {
    from.once('data', (answer: Answer) => {
      from.pause()
      resolve(answer)
    })
    from.resume()
  })
}

const bytes = (text: string): Buffer => Buffer.from(text)
const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5))
}

describe('grpc-js', () => {
  test('puts and gets, and sees headers, trailers and errors as from any server', async () => {
    const client = connect(await open())
    expect((await call(client, 'KV/Put', { key: bytes('a\xff'), value: bytes('1') })).answer).toMatchObject({ header: { revision: '2' } })
    const { answer } = await call(client, 'KV/Range', { key: bytes('a\xff') })
    expect(answer).toMatchObject({ count: '1', kvs: [{ key: bytes('a\xff'), value: bytes('1'), version: '1' }] })
    const refused = await call(client, 'KV/Put', { value: bytes('1') })
    expect(refused.error).toMatchObject({ code: grpc.status.INVALID_ARGUMENT, details: 'etcdserver: key is not provided' })
    expect((await call(client, 'Cluster/MemberList', {})).error).toMatchObject({ code: grpc.status.UNIMPLEMENTED })
  })

  test('tells its token and that it wants a leader; binary metadata does no harm', async () => {
    const client = connect(await open())
    const metadata = new grpc.Metadata()
    metadata.set('token', 'simple.12')
    metadata.set('hasleader', 'true')
    metadata.set('trace-bin', Buffer.from([0, 255, 10, 13]))
    expect((await call(client, 'Auth/UserGet', { name: 'x' }, metadata)).answer).toMatchObject({ roles: ['simple.12', '', 'true'] })
    const other = new grpc.Metadata()
    other.set('authorization', 'simple.13')
    expect((await call(client, 'Auth/UserGet', { name: 'x' }, other)).answer).toMatchObject({ roles: ['simple.13', '', 'false'] })
  })

  test('compressing is refused with the code that makes a client stop compressing', async () => {
    const client = connect(await open(), undefined, { 'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip })
    const { error } = await call(client, 'KV/Put', { key: bytes('a'), value: Buffer.alloc(1000) })
    expect(error).toMatchObject({ code: grpc.status.UNIMPLEMENTED })
  })

  test('streams both ways, and ends them', async () => {
    const client = connect(await open())
    const watch = stream(client, 'Watch/Watch')
    watch.on('error', () => undefined)
    watch.write({ create_request: { key: bytes('w') } })
    expect(await next(watch)).toMatchObject({ created: true, watch_id: '1' })
    await call(client, 'KV/Put', { key: bytes('w'), value: bytes('1') })
    expect(await next(watch)).toMatchObject({ events: [{ kv: { key: bytes('w') } }] })
    const alive = stream(client, 'Lease/LeaseKeepAlive')
    alive.write({ ID: '7' })
    expect(await next(alive)).toMatchObject({ ID: '7', TTL: '10' })
    const status = new Promise<grpc.StatusObject>((resolve) => alive.once('status', resolve))
    alive.end()
    alive.resume()
    expect(await status).toMatchObject({ code: grpc.status.OK })
    watch.cancel()
  })

  test('cancels and times out, and the handler hears of both', async () => {
    const { service, pending } = mapService()
    const port = await open({ service })
    const client = connect(port)
    const { path, write, read } = wire('Lock/Lock')
    const cancelled = new Promise<grpc.ServiceError | null>((resolve) => {
      const waiting = client.makeUnaryRequest(path, write, read, { name: bytes('l') }, (error) => resolve(error))
      void until(() => pending.length === 1).then(() => waiting.cancel())
    })
    expect(await cancelled).toMatchObject({ code: grpc.status.CANCELLED })
    await until(() => pending.length === 2)
    const late = await call(client, 'Lock/Lock', { name: bytes('l') }, new grpc.Metadata(), { deadline: Date.now() + 150 })
    expect(late.error).toMatchObject({ code: grpc.status.DEADLINE_EXCEEDED })
    await until(() => pending.length === 4)
    for (const answer of pending) answer()
    expect((await call(client, 'KV/Range', { key: bytes('a') })).error).toBeNull()
    expect(port.stats()).toMatchObject({ streams: 0, pendingBytes: 0 })
  })

  test('a request of a megabyte and an answer of twenty pass the windows whole', async () => {
    const client = connect(await open())
    const value = Buffer.alloc(1_000_000, 'v')
    for (let i = 0; i < 20; i += 1) await call(client, 'KV/Put', { key: bytes(`big/${String(i).padStart(3, '0')}`), value })
    const { error, answer } = await call(client, 'KV/Range', { key: bytes('big/'), range_end: bytes('big0') })
    expect(error).toBeNull()
    const kvs = answer.kvs as { value: Buffer }[]
    expect(kvs).toHaveLength(20)
    expect(kvs.every((kv) => value.equals(kv.value))).toBe(true)
    const tooLarge = await call(client, 'KV/Put', { key: bytes('a'), value: Buffer.alloc(1_600_000) })
    expect(tooLarge.error).toMatchObject({ code: grpc.status.INVALID_ARGUMENT, details: 'etcdserver: request is too large' })
  })

  test('a thousand streams at once on one connection are all answered', async () => {
    const { service, pending } = mapService()
    const port = await open({ service })
    const client = connect(port)
    const calls = Array.from({ length: 1000 }, (_, i) => call(client, 'Lock/Lock', { name: bytes(`n${i}`) }))
    await until(() => pending.length === 1000)
    expect(port.stats()).toMatchObject({ connections: 1, streams: 1000 })
    for (const answer of pending) answer()
    const names = (await Promise.all(calls)).map(({ answer }) => String(answer.key))
    expect(names).toEqual(Array.from({ length: 1000 }, (_, i) => `n${i}`))
  })

  test('a watcher that does not read holds up nobody else', async () => {
    const port = await open()
    const [slow, quick] = [connect(port), connect(port)]
    const watch = stream(slow, 'Watch/Watch')
    watch.on('error', () => undefined)
    watch.write({ create_request: { key: bytes('s') } })
    await next(watch)
    const value = Buffer.alloc(500_000)
    for (let i = 0; i < 20; i += 1) expect((await call(quick, 'KV/Put', { key: bytes('s'), value })).error).toBeNull()
    expect(port.stats().heldBytes).toBeGreaterThan(1_000_000)
    // The same connection, too: its window is the stream's problem alone.
    expect((await call(slow, 'KV/Range', { key: bytes('other') })).error).toBeNull()
    watch.cancel()
    await until(() => port.stats().heldBytes === 0)
  })

  test('asks after the health', async () => {
    let isServing = true
    const client = connect(await open({ isServing: () => isServing }))
    const check = (): Promise<Buffer | undefined> =>
      new Promise((resolve) => {
        const same = (message: Buffer): Buffer => message
        client.makeUnaryRequest('/grpc.health.v1.Health/Check', same, same, Buffer.alloc(0), (_error, answer) => resolve(answer))
      })
    expect(await check()).toEqual(Buffer.from([8, 1]))
    isServing = false
    expect(await check()).toEqual(Buffer.from([8, 2]))
  })

  test('a peer that does not read its answers is not read from, until it does', async () => {
    const port = await open()
    const client = connect(port)
    await call(client, 'KV/Put', { key: bytes('k'), value: Buffer.alloc(1_000_000) })
    const socket = createConnection({ host: '127.0.0.1', port: port.port })
    closing.push(() => socket.destroy())
    const requests = 60
    // Windows as wide as can be: only the socket itself holds us back.
    socket.write(joined(PREFACE_BYTES, frame(FRAME.settings, 0, 0, [0, 4, ...uint32(0x7fff_ffff)])))
    socket.write(frame(FRAME.windowUpdate, 0, 0, uint32(0x7fff_0000)))
    const peer = new Peer({})
    const get = (id: number): Uint8Array =>
      joined(peer.open(id, METHODS['KV/Range'].path), frame(FRAME.data, FLAG.endStream, id, prefixed(Uint8Array.of(0x0a, 1, 0x6b))))
    socket.pause()
    for (let i = 0; i < requests; i += 1) {
      socket.write(get(1 + i * 2))
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    const { calls, heldBytes } = port.stats()
    // All requests that came in one read are answered before the socket is asked whether it is full: on a slow machine that is many.
    expect(heldBytes).toBeLessThan((requests / 2) * 1_000_000)
    expect(calls).toBeLessThan(requests)
    expect((await call(client, 'KV/Range', { key: bytes('other') })).error).toBeNull()
    let heard = 0
    socket.on('data', (chunk: Buffer) => (heard += chunk.length))
    socket.resume()
    await until(() => heard > requests * 1_000_000)
    await until(() => port.stats().streams === 0)
    expect(port.stats().heldBytes).toBe(0)
  })

  test('closing lets calls finish, ends streams with Unavailable and frees the port', async () => {
    const { service, pending } = mapService()
    const port = await open({ service })
    const client = connect(port)
    const watch = stream(client, 'Watch/Watch')
    watch.write({ create_request: { key: bytes('w') } })
    await next(watch)
    const failed = new Promise<grpc.ServiceError>((resolve) => watch.once('error', resolve))
    const lock = call(client, 'Lock/Lock', { name: bytes('l') })
    await until(() => pending.length === 1)
    const closed = port.close(5000)
    expect(await failed).toMatchObject({ code: grpc.status.UNAVAILABLE, details: 'etcdserver: server stopped' })
    for (const answer of pending) answer()
    expect((await lock).error).toBeNull()
    await closed
    const again = await openEtcdPort({ host: '127.0.0.1', port: port.port, service, pages: {} })
    await again.close(0)
  })
})

describe('a peer that breaks the protocol', () => {
  const raw = (port: EtcdPort, ...chunks: (string | Uint8Array)[]): Promise<Buffer> =>
    new Promise((resolve) => {
      const socket = createConnection({ host: '127.0.0.1', port: port.port })
      const heard: Buffer[] = []
      socket.on('data', (chunk: Buffer) => heard.push(chunk))
      socket.on('error', () => undefined)
      socket.on('close', () => resolve(Buffer.concat(heard)))
      for (const chunk of chunks) socket.write(chunk)
    })

  test('gets GOAWAY and is closed, is counted, and others go on', async () => {
    const port = await open()
    const client = connect(port)
    await call(client, 'KV/Put', { key: bytes('a'), value: bytes('1') })
    const heard = await raw(port, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', Buffer.from([0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]))
    expect(heard.includes('the first frame has to be SETTINGS')).toBe(true)
    await until(() => port.stats().connections === 1)
    expect(port.stats().failures).toEqual({ 'the first frame has to be SETTINGS': 1 })
    expect((await call(client, 'KV/Range', { key: bytes('a') })).error).toBeNull()
  })

  test('that sends its preface byte by byte is a good client all the same', async () => {
    const port = await open()
    const socket = createConnection({ host: '127.0.0.1', port: port.port, noDelay: true })
    closing.push(() => socket.destroy())
    for (const char of 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n') {
      socket.write(char)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]))
    await new Promise((resolve) => socket.once('data', resolve))
    expect(port.stats().connections).toBe(1)
  })

  test('with noise gets an HTTP/1.1 answer or nothing, and no crash', async () => {
    const port = await open()
    for (const noise of ['\x16\x03\x01\x02\x00\x01\x00', 'GARBAGE\r\n\r\n', '\0\0\0\0\0\0', 'PRI garbage\r\n\r\n']) await raw(port, noise)
    expect((await call(connect(port), 'KV/Range', { key: bytes('a') })).error).toBeNull()
  })
})

const has = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0

describe('over TLS', () => {
  test.skipIf(!has('openssl'))('(openssl) gRPC and HTTP/1.1 share the port, and the certificate says who calls', async () => {
    const make = (...args: string[]): string => execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    const dir = execFileSync('mktemp', ['-d'], { encoding: 'utf8' }).trim()
    closing.push(() => spawnSync('rm', ['-r', dir]))
    const selfSigned = (name: string, more: string[]): { key: string; cert: string } => {
      make(
        ...`req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=${name}`.split(' '),
        '-keyout',
        `${dir}/${name}.key`,
        '-out',
        `${dir}/${name}.crt`,
        ...more,
      )
      return {
        key: execFileSync('cat', [`${dir}/${name}.key`], { encoding: 'utf8' }),
        cert: execFileSync('cat', [`${dir}/${name}.crt`], { encoding: 'utf8' }),
      }
    }
    const server = selfSigned('localhost', ['-addext', 'subjectAltName=DNS:localhost'])
    const alice = selfSigned('alice', [])
    const tls = { ...server, ca: alice.cert, requireClientCert: true }
    const port = await open({ tls, pages: { '/version': () => ({ status: 200, type: 'text/plain', body: 'here' }) } })
    const trusted = grpc.credentials.createSsl(Buffer.from(server.cert), Buffer.from(alice.key), Buffer.from(alice.cert))
    expect((await call(connect(port, trusted), 'Auth/UserGet', { name: 'x' })).answer).toMatchObject({ roles: ['', 'alice', 'false'] })
    const stranger = grpc.credentials.createSsl(Buffer.from(server.cert))
    expect((await call(connect(port, stranger), 'Auth/UserGet', { name: 'x' })).error).toMatchObject({ code: grpc.status.UNAVAILABLE })
    if (has('etcdctl')) {
      const files = ['--cacert', `${dir}/localhost.crt`, '--cert', `${dir}/alice.crt`, '--key', `${dir}/alice.key`]
      expect(
        await run('etcdctl', ['--endpoints', `https://localhost:${port.port}`, ...files, 'put', 'a', '1'], '', { ETCDCTL_API: '3' }),
      ).toBe('OK\n')
    }
    if (!has('curl')) return
    const files = ['--cacert', `${dir}/localhost.crt`, '--cert', `${dir}/alice.crt`, '--key', `${dir}/alice.key`]
    // It offers h2 and HTTP/1.1.
    expect(await run('curl', ['-s', ...files, `https://localhost:${port.port}/version`])).toBe('here')
    const renewed = selfSigned('localhost', ['-addext', 'subjectAltName=DNS:localhost'])
    port.renew({ ...tls, ...renewed })
    expect(await run('curl', ['-s', ...files, `https://localhost:${port.port}/version`])).toBe('here')
    expect((await call(connect(port, trusted), 'Auth/UserGet', { name: 'x' })).error).toMatchObject({ code: grpc.status.UNAVAILABLE })
  })
})

/** The output of a program that runs beside us: the server is in this process. */
function run(program: string, args: string[], input = '', env: Record<string, string> = {}): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { env: { ...process.env, ...env }, timeout: 10_000 })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')))
    child.on('close', () => resolve(output))
    child.stdin.end(input)
  })
}

describe.skipIf(!has('etcdctl'))('etcdctl 3.4', () => {
  const ctl = (port: EtcdPort, args: string[], input = ''): Promise<string> =>
    run('etcdctl', ['--endpoints', `127.0.0.1:${port.port}`, ...args], input, { ETCDCTL_API: '3' })

  test('puts, gets, lists, deletes and runs transactions', async () => {
    const port = await open()
    expect(await ctl(port, ['put', 'a/1', 'x'])).toBe('OK\n')
    expect(await ctl(port, ['put', 'a/2', 'y', '--prev-kv'])).toBe('OK\n')
    expect(await ctl(port, ['get', 'a/', '--prefix'])).toBe('a/1\nx\na/2\ny\n')
    expect(await ctl(port, ['get', 'a/', '--prefix', '--limit', '1'])).toBe('a/1\nx\n')
    expect(await ctl(port, ['txn'], 'version("a/1") = "1"\n\nput a/1 z\nget a/1\n\n\n')).toBe('SUCCESS\n\nOK\n\na/1\nz\n')
    expect(await ctl(port, ['del', 'a/', '--prefix'])).toBe('2\n')
    expect(await ctl(port, ['put', '', 'x'])).toContain('etcdserver: key is not provided')
  })

  test('watches', async () => {
    const port = await open()
    const child = spawn('etcdctl', ['--endpoints', `127.0.0.1:${port.port}`, 'watch', 'w'], { env: { ...process.env, ETCDCTL_API: '3' } })
    closing.push(() => child.kill())
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')))
    await until(() => port.stats().streams === 1)
    // The stream is there before the watch on it is.
    await new Promise((resolve) => setTimeout(resolve, 300))
    await ctl(port, ['put', 'w', '1'])
    await ctl(port, ['del', 'w'])
    await until(() => output.includes('DELETE'))
    expect(output).toBe('PUT\nw\n1\nDELETE\nw\n\n')
  })
})

describe.skipIf(!has('curl'))('curl', () => {
  test('with HTTP/2 from the first byte is understood, and told that this is no page', async () => {
    const port = await open({ pages: { '/version': () => ({ status: 200, type: 'text/plain', body: 'here' }) } })
    expect(await run('curl', ['-s', '-i', '--http2-prior-knowledge', `${port.url}/version`])).toMatch(/^HTTP\/2 40[45]/)
    expect(await run('curl', ['-s', `${port.url}/version`])).toBe('here')
  })
})
