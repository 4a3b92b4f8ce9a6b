import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { createClient } from '../../src/cli/client.ts'
import { parseAnswer } from '../../src/cli/exchange.ts'

const open: Server[] = []
afterEach(() => {
  for (const server of open.splice(0)) server.close()
})

async function listen(server: Server) {
  open.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return createClient({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, isTls: false, token: 'secret' }, 'user:anna')
}

const serve = (handle: (request: IncomingMessage, body: string, response: ServerResponse) => void) =>
  listen(
    createServer((request, response) => {
      let body = ''
      request.on('data', (chunk) => (body += String(chunk))).on('end', () => handle(request, body, response))
    }),
  )

test('a call posts its input with actor, token, plan and confirmation, and gives the answer', async () => {
  let seen: unknown
  const client = await serve((request, body, response) => {
    const { authorization, 'x-muster-actor': actor, 'x-muster-plan': plan, 'x-muster-confirm': confirm } = request.headers
    seen = { method: request.method, url: request.url, body, authorization, actor, plan, confirm }
    response.end(JSON.stringify({ ok: true, data: { n: 1 }, warnings: ['w'], position: 9 }))
  })
  const answer = await client.call('tw.job.run', { a: 'ü' }, { plan: true, confirm: 'wéb' })
  expect(answer).toEqual({ data: { n: 1 }, warnings: ['w'], position: 9 })
  expect(seen).toEqual({
    method: 'POST',
    url: '/v1/tw/job/run',
    body: '{"a":"ü"}',
    authorization: 'Bearer secret',
    actor: 'user:anna',
    plan: '1',
    confirm: 'w%C3%A9b',
  })
})

test('a refusal of the server is thrown as it is', async () => {
  const client = await serve((_request, _body, response) =>
    response
      .writeHead(409)
      .end(JSON.stringify({ ok: false, error: { code: 'PLAN_STALE', message: 'moved', hint: 'again', docs: '', exit: 5 } })),
  )
  await expect(client.call('tw.job.run', {})).rejects.toMatchObject({ code: 'PLAN_STALE', message: 'moved', hint: 'again', exit: 5 })
})

test('chunked answers and answers of many packets are whole', async () => {
  const data = 'ä'.repeat(300_000)
  const client = await serve((_request, _body, response) => {
    const text = JSON.stringify({ ok: true, data })
    response.write(text.slice(0, 1000))
    setTimeout(() => response.end(text.slice(1000)), 10)
  })
  expect((await client.get('/x')).data).toBe(data)
})

test('nobody there is SERVER_DOWN, and an answer that breaks off says that the outcome is unknown', async () => {
  const client = createClient({ socketPath: '/nonexistent/muster.sock', isTls: false, token: null }, 'user:anna')
  await expect(client.call('tw.ps', {})).rejects.toMatchObject({ code: 'SERVER_DOWN', exit: 6 })
  const broken = await listen(
    createTcpServer((socket) => void socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"ok"'))),
  )
  await expect(broken.call('tw.job.run', {})).rejects.toMatchObject({ code: 'SERVER_DOWN', message: expect.stringContaining('not known') })
})

test('something else at the address is UNAVAILABLE, not a crash', async () => {
  const client = await serve((_request, _body, response) => response.end('<html>'))
  await expect(client.call('tw.ps', {})).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})

test('an answer is whole only when its length or its last chunk says so', () => {
  expect(parseAnswer(Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell'))).toBeNull()
  expect(parseAnswer(Buffer.from('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n'))).toBeNull()
  expect(parseAnswer(Buffer.from('HTTP/1.1 404 X\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'))).toMatchObject({
    status: 404,
    body: 'hello',
  })
})

test('events resume after a lost connection at the next position, none doubled, none lost', async () => {
  const asked: (string | undefined)[] = []
  const client = await serve((request, _body, response) => {
    const from = Number(new URL(request.url ?? '', 'http://x').searchParams.get('from'))
    asked.push(request.url)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(`id: ${from}\ndata: {"n":${from}}\n\nid: ${from + 1}\ndata: {"n":${from + 1}}\n\n`)
    setTimeout(() => response.destroy(), 20)
  })
  const ids: number[] = []
  const end = new AbortController()
  for await (const { id } of client.events({ from: 5, types: ['tw.'], signal: end.signal })) {
    ids.push(id)
    if (ids.length === 4) break
  }
  end.abort()
  expect(ids).toEqual([5, 6, 7, 8])
  expect(asked).toEqual(['/v1/events?from=5&types=tw.', '/v1/events?from=7&types=tw.'])
})

test('events until a position end by the word of the server alone; a server that is being started is waited for', async () => {
  const asked: (string | undefined)[] = []
  const client = await serve((request, _body, response) => {
    asked.push(request.url)
    if (asked.length === 2)
      return response
        .writeHead(503)
        .end(JSON.stringify({ ok: false, error: { code: 'UNAVAILABLE', message: 'not yet', hint: '', docs: '', exit: 6 } }))
    const from = Number(new URL(request.url ?? '', 'http://x').searchParams.get('from'))
    response.writeHead(200, { 'content-type': 'text/event-stream', 'x-muster-head': '3' })
    response.write(`id: ${from}\ndata: {"n":${from}}\n\n`)
    if (asked.length === 1) response.end()
    else response.end('event: end\ndata: {}\n\n')
  })
  const ids: number[] = []
  const heads: number[] = []
  for await (const { id } of client.events({ from: 5, until: 7, job: 'web', onHead: (head) => heads.push(head) })) ids.push(id)
  expect([ids, heads]).toEqual([[5, 6], [3]])
  expect(asked.at(-1)).toBe('/v1/events?from=6&until=7&job=web')
})

test('a stream gives one value a line, also when a line comes in pieces', async () => {
  const client = await serve((_request, _body, response) => {
    response.write('{"a":1}\n{"a"')
    setTimeout(() => response.end(':2}\n'), 10)
  })
  const values: unknown[] = []
  for await (const value of client.stream('/v1/tw/task/logs', {})) values.push(value)
  expect(values).toEqual([{ a: 1 }, { a: 2 }])
})
