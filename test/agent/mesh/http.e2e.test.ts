import { createHash, randomBytes } from 'node:crypto'
import { execFile } from 'node:child_process'
import { Agent, request as httpRequest } from 'node:http'
import { connect, createServer as createNetServer } from 'node:net'
import { promisify } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { Cleanup, endpoint, listen, raw, service, startBackend, startProxy, type TestProxy } from './support.ts'

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** A net server that answers every request head with the same bytes. */
async function fixedBackend(
  answer: string | ((socket: import('node:net').Socket, head: string) => void),
): Promise<{ port: number; heads: string[] }> {
  const heads: string[] = []
  const server = createNetServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      const head = chunk.toString('latin1')
      heads.push(head)
      if (typeof answer === 'string') socket.end(answer, 'latin1')
      else answer(socket, head)
    })
  })
  const port = await listen(server)
  cleanup.add(() => server.close())
  return { port, heads }
}

describe('requests and answers pass as they are', () => {
  it('bodies of both framings and every size arrive whole both ways', async () => {
    const backend = await startBackend(cleanup, (request, response) => {
      if (request.headers['x-want'] === 'length') response.setHeader('content-length', request.headers['x-size'] ?? '0')
      request.pipe(response)
    })
    const proxy = await startProxy(cleanup, service([endpoint(1, backend.port)]))
    for (const size of [0, 1, 4096, 65_536, 65_537, 3_000_000]) {
      for (const want of ['chunked', 'length']) {
        const body = randomBytes(size)
        const answer = await fetch(`${proxy.url}/`, {
          method: 'PUT',
          body: new Blob([body]).stream(),
          duplex: 'half',
          headers: { 'x-want': want, 'x-size': String(size) },
        })
        const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
        expect(digest(new Uint8Array(await answer.arrayBuffer())), `${size} ${want}`).toBe(digest(body))
      }
    }
  })

  it('curl gets HEAD, 204, 304, HTTP/1.0, Expect: 100-continue and trailers right', async () => {
    const backend = await startBackend(cleanup, (request, response) => {
      if (request.url === '/204' || request.url === '/304') response.writeHead(Number(request.url.slice(1))).end()
      else if (request.url === '/trailers') {
        response.writeHead(200, { trailer: 'x-sum' })
        response.write('part')
        response.addTrailers({ 'x-sum': '42' })
        response.end()
      } else request.pipe(response)
    })
    const proxy = await startProxy(cleanup, service([endpoint(1, backend.port)]))
    const curl = async (...args: string[]): Promise<string> => (await promisify(execFile)('curl', ['-s', '-i', '-m', '5', ...args])).stdout
    expect(await curl('-I', `${proxy.url}/x`)).toMatch(/^HTTP\/1.1 200/)
    expect(await curl(`${proxy.url}/204`, `${proxy.url}/304`, `${proxy.url}/204`)).toMatch(
      /204 No Content[^]*304 Not Modified[^]*204 No Content/,
    )
    expect(await curl('-0', '-d', 'old', `${proxy.url}/`)).toMatch(/connection: close\r\n\r\nold$/i)
    expect(await curl('-H', 'Expect: 100-continue', '-d', 'x'.repeat(5000), `${proxy.url}/`)).toMatch(
      /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK[^]*x{5000}$/,
    )
    expect(await raw(proxy.port, 'GET /trailers HTTP/1.1\r\nHost: web\r\n\r\n', '\r\n\r\n4\r\npart\r\n0\r\nx-sum: 42\r\n\r\n')).toContain(
      'x-sum: 42',
    )
  })

  it('a 204 that claims to be chunked does not leave the caller waiting for chunks', async () => {
    const backend = await fixedBackend((socket) => socket.write('HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n'))
    const proxy = await startProxy(cleanup, service([endpoint(1, backend.port)]))
    const got = await raw(proxy.port, ['GET /1 HTTP/1.1\r\nHost: web\r\n\r\n', 'GET /2 HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n'])
    expect(got.match(/^HTTP\/1.1 204/gm)).toHaveLength(2)
    expect(got.toLowerCase()).not.toContain('transfer-encoding')
  })

  it('pipelined requests are answered in their order, on one connection', async () => {
    const backend = await startBackend(cleanup, (request, response) => {
      setTimeout(() => response.end(`[${request.url}]`), request.url === '/1' ? 50 : 0)
    })
    const proxy = await startProxy(cleanup, service([endpoint(1, backend.port)]))
    const one = (n: number): string => `GET /${n} HTTP/1.1\r\nHost: web\r\n\r\n`
    const post = 'POST /p HTTP/1.1\r\nHost: web\r\nContent-Length: 4\r\n\r\nbody'
    const got = await raw(proxy.port, one(1) + one(2) + post + one(3), '[/3]')
    expect(got.match(/\[[^\]]+\]/g)).toEqual(['[/1]', '[/2]', '[/p]', '[/3]'])
  })

  it('fields for one hop are stripped, ours are added, and a trace is kept', async () => {
    const backend = await fixedBackend(
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x-private\r\nX-Private: 1\r\nX-Public: 1\r\n\r\nok',
    )
    const proxy = await startProxy(cleanup, service([endpoint(1, backend.port)]))
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const got = await raw(
      proxy.port,
      `GET /a?secret=1 HTTP/1.1\r\nHost: web\r\nConnection: keep-alive, X-Drop\r\nX-Drop: 1\r\nKeep-Alive: timeout=9\r\nTE: trailers\r\nProxy-Authorization: x\r\nX-Forwarded-For: 1.2.3.4\r\nX-Muster-Bucket: 5\r\ntraceparent: ${trace}\r\n\r\n`,
      '\r\n\r\nok',
    )
    const head = backend.heads[0] ?? ''
    expect(head).toMatch(/^GET \/a\?secret=1 HTTP\/1.1\r\nhost: web\r\n/)
    for (const gone of ['x-drop', 'keep-alive', 'te:', 'proxy-auth', 'x-muster-bucket']) expect(head.toLowerCase()).not.toContain(gone)
    expect(head).toContain('x-forwarded-for: 1.2.3.4, 127.0.0.1\r\n')
    expect(head).toContain(`traceparent: ${trace}\r\n`)
    expect(head).toMatch(/x-request-id: \S+\r\n/)
    expect(got.toLowerCase()).not.toContain('x-private')
    expect(got).toContain('X-Public: 1\r\n')
    const [event] = await proxy.eventsArrived(1)
    expect(event).toMatchObject({
      service: 'web',
      path: '/a',
      status: 200,
      tries: 1,
      trace: '0af7651916cd43dd8448eb211c80319c',
      task: 'web/api[1]',
      node: 'n1',
      release: 'r1',
    })
  })

  it('a WebSocket-like upgrade passes bytes both ways, also those sent early', async () => {
    const backend = await fixedBackend((socket, head) => {
      if (head.startsWith('GET')) socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello ')
      else socket.write(head)
    })
    const proxy = await startProxy(cleanup, service([endpoint(1, backend.port)]))
    const got = await raw(
      proxy.port,
      ['GET /ws HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n', 'one ', 'two!'],
      'two!',
    )
    expect(got).toMatch(/^HTTP\/1.1 101 [^]*upgrade: echo\r\n\r\nhello one two!$/i)
    const [event] = await proxy.eventsArrived(1)
    expect(event?.status).toBe(101)
  })

  it('works as an http_proxy, and each service has a port of its own', async () => {
    const backend = await startBackend(cleanup, (request, response) => response.end(`${request.headers.host}${request.url}`))
    const proxy = await startProxy(cleanup, service([endpoint(1, backend.port)]), service([], { name: 'api' }))
    expect(await raw(proxy.port, 'GET http://web.mesh/a HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n')).toContain('web.mesh/a')
    expect(await (await fetch(`http://127.0.0.1:${proxy.proxy.stats().servicePorts['web']}/own`)).text()).toContain('/own')
    const lost = await fetch(`${proxy.url}/`)
    expect([lost.status, lost.headers.get('x-muster-reason')]).toEqual([404, 'no-route'])
    expect(await lost.text()).not.toMatch(/web|api/)
    const empty = await fetch(`${proxy.url}/`, { headers: { 'x-muster-service': 'api' } })
    expect([empty.status, empty.headers.get('x-muster-reason')]).toEqual([503, 'no-endpoint'])
  })
})

describe('what could be read in two ways is refused', () => {
  it.each([
    ['both lengths', 'POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc', 400],
    ['a signed length', 'POST / HTTP/1.1\r\nHost: web\r\nContent-Length: +3\r\n\r\nabc', 400],
    ['a list of lengths', 'POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 3, 3\r\n\r\nabc', 400],
    ['an unknown coding', 'POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n', 501],
    ['chunked twice', 'POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ['chunked in HTTP/1.0', 'POST / HTTP/1.0\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ['a blank before the colon', 'GET / HTTP/1.1\r\nHost : web\r\n\r\n', 400],
    ['a folded line', 'GET / HTTP/1.1\r\nHost: web\r\nX-A: 1\r\n more\r\n\r\n', 400],
    ['a bare line feed', 'GET / HTTP/1.1\r\nHost: web\nX-A: 1\r\n\r\n', 400],
    ['a bare carriage return', 'GET / HTTP/1.1\r\nHost: web\r\nX-A: 1\rX-B: 2\r\n\r\n', 400],
    ['a zero byte', 'GET / HTTP/1.1\r\nHost: web\r\nX-A: \0\r\n\r\n', 400],
    ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['two hosts', 'GET / HTTP/1.1\r\nHost: web\r\nHost: api\r\n\r\n', 400],
    ['a broken request line', 'GET  / HTTP/1.1\r\nHost: web\r\n\r\n', 400],
    ['a version of tomorrow', 'GET / HTTP/3.0\r\nHost: web\r\n\r\n', 505],
    ['a tunnel', 'CONNECT web:443 HTTP/1.1\r\nHost: web\r\n\r\n', 405],
    ['a broken chunk size', 'POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n', 400],
    ['a chunk that ends in a bare line feed', 'POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n', 400],
    ['a chunk longer than its size', 'POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n', 400],
    ['a head over 16 KiB', `GET / HTTP/1.1\r\nHost: web\r\nX-A: ${'a'.repeat(17_000)}\r\n\r\n`, 431],
    ['a head without an end', `GET / HTTP/1.1\r\nX-A: ${'a'.repeat(20_000)}`, 431],
    ['TLS to a plain port', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n', 400],
  ])('%s', async (_name, bytes, status) => {
    // Slow to answer, so that what is wrong in a body is seen before the answer.
    const backend = await startBackend(
      cleanup,
      (request, response) => void request.resume().on('end', () => setTimeout(() => response.end('no!'), 50)),
    )
    const proxy = await startProxy(cleanup, service([endpoint(1, backend.port)]))
    const got = await raw(proxy.port, `${bytes}GET /smuggled HTTP/1.1\r\nHost: web\r\n\r\n`)
    expect(got).toMatch(new RegExp(`^HTTP/1.1 ${status} [^]*x-muster-reason: bad-request`))
    expect(got.match(/HTTP\/1.1 \d/g)).toHaveLength(1)
  })

  it.each([
    ['both lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['two different lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok'],
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9\r\n\r\n'],
    ['an upgrade nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'],
  ])('an answer with %s becomes 502', async (_name, answer) => {
    const backend = await fixedBackend(answer)
    const proxy = await startProxy(cleanup, service([endpoint(1, backend.port)]))
    const got = await fetch(`${proxy.url}/`)
    expect([got.status, got.headers.get('x-muster-reason')]).toEqual([502, 'bad-response'])
  })

  it('an answer that breaks off is cut on this side too, and counts as 502', async () => {
    const backend = await fixedBackend('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this')
    const proxy = await startProxy(cleanup, service([endpoint(1, backend.port)]))
    await expect(fetch(`${proxy.url}/`).then((answer) => answer.text())).rejects.toThrow()
    expect((await proxy.eventsArrived(1))[0]).toMatchObject({ status: 502, reason: 'reset' })
  })
})

describe('slow and vanishing peers', () => {
  it('a caller that reads slowly stops the endpoint instead of filling memory', async () => {
    let written = 0
    const backend = await startBackend(cleanup, (_request, response) => {
      const chunk = Buffer.alloc(64 * 1024)
      const more = (): void => {
        while (written < 400_000_000 && !response.destroyed) {
          written += chunk.length
          if (!response.write(chunk)) {
            response.once('drain', more)
            return
          }
        }
      }
      more()
    })
    const proxy = await startProxy(cleanup, service([endpoint(1, backend.port)]))
    const socket = connect({ host: '127.0.0.1', port: proxy.port })
    cleanup.add(() => socket.destroy())
    socket.pause()
    socket.write('GET / HTTP/1.1\r\nHost: web\r\n\r\n')
    // It stands still once the buffers between are full; how soon that is depends on the machine.
    await eventually('nothing more is written', 20_000, async () => {
      const before = written
      await sleep(300)
      return before > 0 && written === before
    })
    // What the kernel's buffers of two loopback connections take, and a little of ours.
    expect(written).toBeLessThan(40_000_000)
  })

  it('a caller that goes away aborts the endpoint, and is counted as 499', async () => {
    let aborted = false
    let isCalled = false
    const backend = await startBackend(cleanup, (request) => {
      isCalled = true
      request.on('close', () => (aborted = true))
    })
    const proxy = await startProxy(cleanup, service([endpoint(1, backend.port)]))
    const controller = new AbortController()
    const call = fetch(`${proxy.url}/`, { signal: controller.signal }).catch(() => null)
    await eventually('the call is there', 20_000, () => isCalled)
    controller.abort()
    await call
    expect((await proxy.eventsArrived(1))[0]).toMatchObject({ status: 499, reason: 'client-gone' })
    await eventually('the endpoint is aborted', 20_000, () => aborted)
    expect(proxy.proxy.stats().services[0]?.running).toBe(0)
  })

  it('an endpoint that closes idle connections at once loses no request', async () => {
    const backend = await startBackend(cleanup, (_request, response) => response.end('ok'))
    backend.server.keepAliveTimeout = 1
    const proxy = await startProxy(cleanup, service([endpoint(1, backend.port)]))
    const agent = new Agent({ keepAlive: true, maxSockets: 4 })
    cleanup.add(() => agent.destroy())
    const get = (): Promise<number> =>
      new Promise((resolve, reject) => {
        httpRequest(proxy.url, { agent }, (answer) => answer.resume().on('end', () => resolve(answer.statusCode ?? 0)))
          .on('error', reject)
          .end()
      })
    const statuses = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const seen: number[] = []
        for (let i = 0; i < 40; i += 1) {
          seen.push(await get())
          await sleep(Math.random() * 4)
        }
        return seen
      }),
    )
    expect(new Set(statuses.flat())).toEqual(new Set([200]))
  })

  it('a try without an answer ends in time, and a shorter deadline of the caller wins', async () => {
    const backend = await startBackend(cleanup, () => {})
    const proxyWith = (requestTimeoutMs: number, tryTimeoutMs: number): Promise<TestProxy> =>
      startProxy(
        cleanup,
        service([endpoint(1, backend.port)], { policy: { ...service([]).policy, requestTimeoutMs, tryTimeoutMs, retriesMax: 0 } }),
      )
    const startedAt = Date.now()
    const slow = await fetch(`${(await proxyWith(20_000, 300)).url}/`)
    expect([slow.status, slow.headers.get('x-muster-reason')]).toEqual([504, 'timeout'])
    expect(Date.now() - startedAt).toBeLessThan(5000)
    const startedAgain = Date.now()
    const { url } = await proxyWith(20_000, 20_000)
    expect((await fetch(`${url}/`, { headers: { 'x-muster-deadline': '100' } })).status).toBe(504)
    expect(Date.now() - startedAgain).toBeLessThan(5000)
  })
})
