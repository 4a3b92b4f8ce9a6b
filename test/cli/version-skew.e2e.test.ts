import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { newFleet, type TestFleet } from '../support/fleet.ts'

/** A server of another version, as far as a command sees it. */
let server: Server
let fleet: TestFleet
let answer: { status: number; headers: Record<string, string>; body: object }

beforeEach(async () => {
  fleet = newFleet()
  server = createServer((request, response) => {
    request.resume()
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers }).end(JSON.stringify(answer.body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  fleet.env['MUSTER_ADDRESS'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  fleet.env['MUSTER_TOKEN'] = 'token'
})
afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await fleet.end()
})

const said = async (...args: string[]) => {
  const { exitCode, stderr } = await fleet.muster(...args)
  return { exitCode, stderr }
}

test('an answer that lacks what this version reads names both versions and what to do, and is no bug', async () => {
  answer = {
    status: 200,
    headers: { 'x-muster-version': '0.0.1' },
    body: { ok: true, data: { node: { node: 'n1' }, tasks: [], drain: null } },
  }
  const { exitCode, stderr } = await said('tw', 'node', 'show', 'n1')
  expect(exitCode).toBe(6)
  expect(stderr).toMatch(/this muster is \d+\.\d+\.\d+ and the server is 0\.0\.1: its answer is not what this command expects/)
  expect(stderr).toContain('muster down')
  expect(stderr).toContain('VERSION_SKEW')
  expect(stderr).not.toMatch(/bug|at .*\.js/)
})

test('a server that does not say its version is an older one', async () => {
  answer = { status: 200, headers: {}, body: { ok: true, data: { node: { node: 'n1' }, tasks: [], drain: null } } }
  expect(await said('tw', 'node', 'show', 'n1')).toMatchObject({ exitCode: 6, stderr: expect.stringContaining('of an older version') })
})

test('so is an operation that the server does not have, and a code that this version does not', async () => {
  const headers = { 'x-muster-version': '9.0.0' }
  const errorOf = (code: string, message: string) => ({ ok: false, error: { code, message, hint: '', docs: '', exit: 3 } })
  answer = { status: 404, headers, body: errorOf('NOT_FOUND', 'nothing answers POST /v1/tw/node/show') }
  expect(await said('tw', 'node', 'show', 'n1')).toMatchObject({ exitCode: 6, stderr: expect.stringContaining('nothing answers POST') })
  answer = { status: 409, headers, body: errorOf('TW_OF_TOMORROW', 'the moon is in the way') }
  expect(await said('tw', 'node', 'show', 'n1')).toMatchObject({
    exitCode: 6,
    stderr: expect.stringContaining('9.0.0: the moon is in the way'),
  })
})

test('of a server of the same version a broken answer is a bug, and a refusal is what it says', async () => {
  const { stdout } = await fleet.muster('--version')
  const headers = { 'x-muster-version': /\d+\.\d+\.\d+\S*/.exec(stdout)?.[0] ?? '' }
  answer = { status: 200, headers, body: { ok: true, data: { node: { node: 'n1' }, tasks: [], drain: null } } }
  expect(await said('tw', 'node', 'show', 'n1')).toMatchObject({ exitCode: 70, stderr: expect.stringContaining('A bug in muster') })
  answer = {
    status: 404,
    headers: {},
    body: { ok: false, error: { code: 'NOT_FOUND', message: 'there is no node n1', hint: '', docs: '', exit: 3 } },
  }
  expect(await said('tw', 'node', 'show', 'n1')).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('there is no node n1') })
})
