import { createHmac } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createNetServer, type AddressInfo, type Server as NetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SMTPServer } from 'smtp-server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { DeliverBody } from '../../../src/core/sev/controllers/dispatcher.ts'
import { statePaths } from '../../../src/platform/paths.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import { deliver } from '../../../src/server/sev/deliver.ts'
import type { ChannelHost } from '../../../src/server/sev/channels/channel.ts'

let root: string
let host: ChannelHost
const closers: (() => Promise<unknown> | void)[] = []

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'muster-sev-'))
  host = { paths: statePaths('test', { MUSTER_STATE_DIR: root }), log: createLogger(join(root, 'server.log')) }
})
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
  rmSync(root, { recursive: true, force: true })
})

const never = new AbortController().signal

function page(channel: DeliverBody['channel'], address: string, settings: unknown = null): DeliverBody {
  return {
    key: 'd12-0',
    channel,
    address,
    kind: 'page',
    attempt: 1,
    settings,
    page: {
      firstLine: 'SEV2 #9 feed errors 7.3% · sev ack 9',
      text: 'SEV2 #9 feed errors 7.3% · sev ack 9\n\nservice  feed\n',
      facts: {
        kind: 'page',
        incident: 9,
        level: 2,
        state: 'open',
        title: 'feed errors 7.3%',
        service: 'feed',
        person: 'anna',
        step: 0,
        openedAt: '2026-11-02T10:00:00Z',
        duringChaosRun: null,
      },
    },
  }
}

async function webServer(status: number | 'hang'): Promise<{ url: string; seen: { request: IncomingMessage; body: string }[] }> {
  const seen: { request: IncomingMessage; body: string }[] = []
  const server: Server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += String(chunk)))
    request.on('end', () => {
      seen.push({ request, body })
      if (status !== 'hang') response.writeHead(status).end()
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  closers.push(
    () =>
      new Promise((done) => {
        server.close(done)
        server.closeAllConnections()
      }),
  )
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?token=hush`, seen }
}

test('a webhook carries the key and a signature its receiver can check', async () => {
  const { url, seen } = await webServer(202)
  expect(await deliver(page('webhook', url), host, never)).toEqual({ isOk: true, detail: 'HTTP 202' })
  const { request, body } = seen[0]!
  expect(request.headers['idempotency-key']).toBe('d12-0')
  const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(request.headers['muster-signature'])) ?? []
  const secret = readFileSync(join(root, 'keys/sev-webhook.secret'), 'utf8').trim()
  expect(v1).toBe(createHmac('sha256', secret).update(`${t}.${body}`).digest('hex'))
  expect(statSync(join(root, 'keys/sev-webhook.secret')).mode & 0o777).toBe(0o600)
  expect(JSON.parse(body)).toMatchObject({
    schema: 'muster.sev.page/1',
    incident: 9,
    level: 2,
    person: 'anna',
    firstLine: expect.stringContaining('sev ack 9'),
  })
})

test.each([
  [500, false],
  [429, false],
  [410, true],
  [404, true],
  [302, true],
])('a webhook that answers %i is permanent: %s', async (status, isPermanent) => {
  const { url } = await webServer(status)
  expect(await deliver(page('webhook', url), host, never)).toEqual({ isOk: false, error: `HTTP ${status}`, isPermanent })
})

test('a webhook that is down says why without its address', async () => {
  const outcome = await deliver(page('webhook', 'http://127.0.0.1:1/hook?token=hush'), host, never)
  expect(outcome).toMatchObject({ isOk: false, isPermanent: false })
  expect(JSON.stringify(outcome)).not.toContain('hush')
})

async function mailServer(script: { rcpt?: number; data?: number }): Promise<{ settings: object; mails: string[] }> {
  const mails: string[] = []
  const refusal = (code: number): Error => Object.assign(new Error('scripted'), { responseCode: code })
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    logger: false,
    onRcptTo: (_address, _session, done) => done(script.rcpt === undefined ? null : refusal(script.rcpt)),
    onData: (stream, _session, done) => {
      let mail = ''
      stream.on('data', (chunk) => (mail += String(chunk)))
      stream.on('end', () => {
        if (script.data === undefined) mails.push(mail)
        done(script.data === undefined ? null : refusal(script.data))
      })
    },
  })
  server.on('error', () => undefined)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  closers.push(() => new Promise<void>((done) => server.close(done)))
  const { port } = server.server.address() as AddressInfo
  return { settings: { host: '127.0.0.1', port, from: 'muster@example.org', tls: 'off' }, mails }
}

test('a mail names its delivery, its incident and that a machine sent it', async () => {
  const { settings, mails } = await mailServer({})
  expect(await deliver(page('smtp', 'anna@example.org', settings), host, never)).toMatchObject({ isOk: true })
  expect(await deliver(page('smtp', 'anna@example.org', settings), host, never)).toMatchObject({ isOk: true })
  const ids = mails.map((mail) => /^Message-ID: (<.+>)\r$/m.exec(mail)?.[1])
  expect(ids[0]).toMatch(/^<d12-0\.[0-9a-f]{16}@muster\.invalid>$/)
  expect(ids[1]).toBe(ids[0])
  expect(mails[0]).toMatch(/^References: <incident-9\./m)
  expect(mails[0]).toMatch(/^Auto-Submitted: auto-generated\r$/m)
  expect(mails[0]).toMatch(/^Subject: .*SEV2/m)
})

test.each([
  [421, false],
  [451, false],
  [550, true],
])('a mail server that answers %i is permanent: %s', async (code, isPermanent) => {
  const { settings } = await mailServer(code === 550 ? { rcpt: code } : { data: code })
  expect(await deliver(page('smtp', 'anna@example.org', settings), host, never)).toEqual({
    isOk: false,
    error: `SMTP ${code}`,
    isPermanent,
  })
})

test('a mail server that hangs is given up after 10 s and tried again', { timeout: 20_000 }, async () => {
  const server: NetServer = createNetServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const sockets: { destroy: () => void }[] = []
  server.on('connection', (socket) => sockets.push(socket))
  closers.push(
    () =>
      new Promise((done) => {
        server.close(done)
        sockets.forEach((socket) => socket.destroy())
      }),
  )
  const settings = { host: '127.0.0.1', port: (server.address() as AddressInfo).port, from: 'm@example.org', tls: 'off' }
  const startedAt = performance.now()
  const outcome = await deliver(page('smtp', 'anna@example.org', settings), host, never)
  expect(outcome).toMatchObject({ isOk: false, isPermanent: false })
  expect(performance.now() - startedAt).toBeLessThan(15_000)
})

function script(text: string): string {
  const path = join(root, 'gateway.sh')
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, 0o755)
  return path
}

test('a command gets the body on standard input and the facts in its environment, nothing in its arguments', async () => {
  const path = script(
    `{ echo "$#|$MUSTER_INCIDENT|$MUSTER_LEVEL|$MUSTER_PERSON|$MUSTER_KEY|$MUSTER_FIRST_LINE"; cat; } > ${join(root, 'got')}`,
  )
  expect(await deliver(page('command', path), host, never)).toEqual({ isOk: true, detail: 'exit 0' })
  const got = readFileSync(join(root, 'got'), 'utf8')
  expect(got.split('\n')[0]).toBe('0|9|2|anna|d12-0|SEV2 #9 feed errors 7.3% · sev ack 9')
  expect(got).toContain('service  feed')
})

test('a command that fails says its first word of complaint', async () => {
  expect(await deliver(page('command', script('echo no credit >&2; exit 3')), host, never)).toEqual({
    isOk: false,
    error: 'exit 3: no credit',
    isPermanent: false,
  })
  expect(await deliver(page('command', join(root, 'missing')), host, never)).toMatchObject({
    isOk: false,
    error: expect.stringContaining('ENOENT'),
  })
})

test('a stopping server leaves the outcome open instead of inventing one', async () => {
  const { url } = await webServer('hang')
  const stop = new AbortController()
  const attempt = deliver(page('webhook', url), host, stop.signal)
  setTimeout(() => stop.abort(), 50)
  await expect(attempt).rejects.toThrow()
})

test('a file gets one whole line a page and the terminal one line in the log', async () => {
  expect(await deliver(page('file', 'pages/a.log'), host, never)).toMatchObject({ isOk: true })
  expect(JSON.parse(readFileSync(join(root, 'pages/a.log'), 'utf8'))).toMatchObject({ key: 'd12-0', incident: 9, person: 'anna' })
  expect(await deliver(page('terminal', ''), host, never)).toMatchObject({ isOk: true })
  expect(readFileSync(join(root, 'server.log'), 'utf8')).toContain('SEV2 #9 feed errors')
  expect(await deliver(page('file', 'server.log/a.log'), host, never)).toMatchObject({ isOk: false, isPermanent: false })
  expect(await deliver(page('file', '/proc/nowhere/a.log'), host, never)).toMatchObject({ isOk: false, isPermanent: false })
})
