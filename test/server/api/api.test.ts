import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createApi } from '../../../src/server/api/api.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import { refuse } from '../../../src/core/kernel/errors.ts'
import type { Caller } from '../../../src/server/api/roles.ts'
import { openToy, toySystem } from '../../support/toy.ts'

let toy: Awaited<ReturnType<typeof openToy>>
let local: FastifyInstance
let remote: FastifyInstance
let tokens: Map<string, Caller>

beforeEach(async () => {
  toy = await openToy()
  tokens = new Map()
  const options = {
    domains: [{ systems: [toySystem], control: toy.control }],
    wirings: [],
    tokens: { find: (token: string) => tokens.get(token) ?? null },
    log: createLogger(null),
    status: async () => ({}),
    link: null,
    onOperation: () => {},
  }
  local = createApi(options, 'socket')
  remote = createApi(options, 'tcp')
})
afterEach(async () => {
  await local.close()
  await remote.close()
  await toy.end()
})

const post = (path: string, payload: object = {}, headers: Record<string, string> = {}, app = local) =>
  app.inject({ method: 'POST', url: path, payload, headers })

test('a command answers with its reply, its warnings and the position behind its entries, and logs who asked', async () => {
  const answer = await post('/v1/toy/letter/write', { to: 'slow' }, { 'x-muster-actor': 'user:anna' })
  expect(answer.json()).toEqual({ ok: true, data: { id: 1 }, warnings: ['it will take long'], position: 2 })
  expect(toy.control.read(1, 1)[0]).toMatchObject({ type: 'toy.LetterWritten', actor: 'user:anna', body: { to: 'slow' } })
})

test('a query answers to GET with a query string and to POST with a body', async () => {
  await post('/v1/toy/letter/write', { to: 'a' })
  const rows = [{ id: 1, receiver: 'a', posted: 0 }]
  expect((await local.inject('/v1/toy/letter/list?posted=false')).json().data).toEqual(rows)
  expect((await post('/v1/toy/letter/list', { posted: true })).json().data).toEqual([])
})

test('a refusal is an error envelope with the status of its exit code, and changes nothing', async () => {
  const answer = await post('/v1/toy/letter/write', { to: 'nobody' })
  expect(answer.statusCode).toBe(404)
  expect(answer.json()).toMatchObject({ ok: false, error: { code: 'NOT_FOUND', exit: 3, message: 'nobody lives nowhere' } })
  expect(toy.control.tail()).toBe(1)
})

test.each([
  ['an unknown field', { to: 'a', when: 'now' }],
  ['a missing field', {}],
  ['a wrong type', { to: 7 }],
])('%s is refused as usage and changes nothing', async (_what, payload) => {
  const answer = await post('/v1/toy/letter/write', payload)
  expect(answer.statusCode).toBe(400)
  expect(answer.json().error.code).toBe('USAGE')
  expect(toy.control.tail()).toBe(1)
})

test('a body that is no JSON, an unknown route and a body over the limit each get one clear error', async () => {
  const garbage = await local.inject({
    method: 'POST',
    url: '/v1/toy/letter/write',
    payload: '{nonsense',
    headers: { 'content-type': 'application/json' },
  })
  expect(garbage.json().error.code).toBe('USAGE')
  expect((await post('/v1/toy/letter/eat')).json().error.code).toBe('NOT_FOUND')
  expect((await post('/v1/toy/letter/write', { to: 'x'.repeat(5_000_000) })).json().error).toMatchObject({
    code: 'USAGE',
    message: 'the body is too large',
  })
})

test('a high-risk command wants the name of its target, whoever asks', async () => {
  const refused = await post('/v1/toy/letter/burn')
  expect(refused.statusCode).toBe(403)
  expect(refused.json().error).toMatchObject({ code: 'CONFIRM_REQUIRED', details: { confirm: 'all letters' } })
  expect((await post('/v1/toy/letter/burn', {}, { 'x-muster-confirm': encodeURIComponent('all letters') })).statusCode).toBe(200)
})

test('a plan changes nothing, and its id applies exactly it', async () => {
  const planned = (await post('/v1/toy/letter/write', { to: 'a' }, { 'x-muster-plan': '1' })).json()
  expect(planned.plan.changes).toMatchObject([{ table: 'toy_letter', op: 'insert', after: { receiver: 'a' } }])
  expect(toy.control.tail()).toBe(1)
  expect((await post('/v1/toy/letter/write', { to: 'b' }, { 'x-muster-apply': planned.plan.id })).json().error.code).toBe('PLAN_STALE')
  expect((await post('/v1/toy/letter/write', { to: 'a' }, { 'x-muster-apply': planned.plan.id })).statusCode).toBe(200)
})

test('over TCP a caller is who its token says, and may do what the role allows', async () => {
  tokens.set('t1', { actor: 'token:eve', role: 'viewer' }).set('t2', { actor: 'token:ci', role: 'operator' })
  const viewer = { authorization: 'Bearer t1' }
  const operator = { authorization: 'Bearer t2' }
  expect((await post('/v1/toy/letter/list', {}, {}, remote)).statusCode).toBe(403)
  expect((await post('/v1/toy/letter/list', {}, { authorization: 'Bearer muster_wrong' }, remote)).statusCode).toBe(403)
  expect((await post('/v1/toy/letter/list', {}, viewer, remote)).statusCode).toBe(200)
  const refused = await post('/v1/toy/letter/write', { to: 'a' }, viewer, remote)
  expect(refused.json().error).toMatchObject({ code: 'NOT_PERMITTED', exit: 4 })
  expect((await post('/v1/toy/letter/write', { to: 'a' }, { ...operator, 'x-muster-actor': 'user:root' }, remote)).statusCode).toBe(200)
  expect(toy.control.read(1, 1)[0]?.actor).toBe('token:ci')
})

test('events resume behind the last one seen, and none is left out', async () => {
  for (const to of ['a', 'b', 'c']) await post('/v1/toy/letter/write', { to })
  const address = await local.listen({ port: 0, host: '127.0.0.1' })
  const abort = new AbortController()
  const response = await fetch(`${address}/v1/events`, { headers: { 'last-event-id': '1' }, signal: abort.signal })
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  let text = ''
  const ids = (): number[] => [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]))
  await post('/v1/toy/letter/write', { to: 'd' })
  while (ids().length < 3) text += new TextDecoder().decode((await reader.read()).value)
  abort.abort()
  expect(ids()).toEqual([2, 3, 4])
})

test('events end before the position they are asked for until, say so, and tell where the log begins and ends', async () => {
  for (const to of ['a', 'b', 'c', 'd']) await post('/v1/toy/letter/write', { to })
  const address = await local.listen({ port: 0, host: '127.0.0.1' })
  const response = await fetch(`${address}/v1/events?from=2&until=4`)
  const text = await response.text()
  expect([...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]))).toEqual([2, 3])
  expect(text.endsWith('event: end\ndata: {}\n\n')).toBe(true)
  expect([response.headers.get('x-muster-head'), response.headers.get('x-muster-position')]).toEqual(['1', '5'])
  expect(await (await fetch(`${address}/v1/events?from=1&until=5&job=web`)).text()).not.toContain('id:')
  expect((await fetch(`${address}/v1/events?until=never`)).status).toBe(400)
})

test('every operation has a route in the OpenAPI document, with its role', async () => {
  const document = (await local.inject('/openapi.json')).json()
  expect(Object.keys(document.paths)).toEqual(
    expect.arrayContaining(['/v1/toy/letter/write', '/v1/toy/letter/list', '/v1/toy/letter/burn']),
  )
})

test('of a state that is not what other servers have nothing is read and nothing decided on it, and it is said why', async () => {
  const reason = refuse('DELOS_STATE_SPLIT', 'all differ')
  toy.control.copy.setDistrusted(reason, { isWrong: false, agreed: 0 })
  for (const path of ['/v1/toy/letter/list', '/v1/toy/letter/write']) {
    const refused = await post(path, path.endsWith('write') ? { to: 'a' } : {})
    expect([refused.statusCode, refused.json().error.code]).toEqual([503, 'DELOS_STATE_SPLIT'])
    expect(refused.json().error.hint).toContain('muster up')
  }
  expect(toy.control.tail()).toBe(1)
  expect((await local.inject('/healthz')).json()).toMatchObject({ ok: true, trouble: 'all differ' })
  toy.control.copy.setTrusted()
  expect((await post('/v1/toy/letter/write', { to: 'a' })).statusCode).toBe(200)
  expect((await local.inject('/healthz')).json()).toMatchObject({ trouble: null })
})
