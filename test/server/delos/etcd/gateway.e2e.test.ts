import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openEtcdPort, type EtcdPort } from '../../../../src/server/delos/etcd/port.ts'
import { freePort } from '../../../support/free-port.ts'
import { mapService } from './map-service.ts'

interface Answer {
  status: number
  type: string
  body: string
}

function ask(url: string, body: string, headers: Record<string, string> = {}, method = 'POST'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = httpRequest(url, { method, headers, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', body: text }))
    })
    asking.on('error', reject)
    asking.end(body)
  })
}

/** The first lines of a stream's answer; then the caller goes away. */
function askLines(url: string, body: string, count: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const asking = httpRequest(url, { method: 'POST', agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      const done = (): void => {
        resolve(text.split('\n').slice(0, count))
        response.destroy()
      }
      response.on('data', (chunk: string) => {
        text += chunk
        if (text.split('\n').length > count) done()
      })
      response.on('end', done)
    })
    asking.on('error', reject)
    asking.end(body)
  })
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const [A, B] = [base64('a'), base64('b')]

let ours: EtcdPort
beforeAll(async () => {
  const pages = {
    '/version': () => ({ status: 200, type: 'application/json', body: '{"etcdserver":"3.5.0"}' }),
    '/health': async () => ({ status: 503, type: 'application/json', body: '{"health":"false"}' }),
    '/broken': () => {
      throw new Error('no such thing')
    },
  }
  ours = await openEtcdPort({ host: '127.0.0.1', port: 0, service: mapService().service, pages })
})
afterAll(() => ours.close(0))

describe('the gateway', () => {
  test('pages are for reading', async () => {
    expect(await ask(`${ours.url}/version`, '', {}, 'GET')).toEqual({
      status: 200,
      type: 'application/json',
      body: '{"etcdserver":"3.5.0"}',
    })
    expect((await ask(`${ours.url}/health?verbose`, '', {}, 'GET')).status).toBe(503)
    expect((await ask(`${ours.url}/version`, '')).status).toBe(405)
    expect((await ask(`${ours.url}/broken`, '', {}, 'GET')).status).toBe(500)
    expect((await ask(`${ours.url}/constructor`, '', {}, 'GET')).status).toBe(404)
  })

  test('several requests share a connection, and a token goes with each', async () => {
    const auth = { authorization: 'simple.7', 'grpc-metadata-hasleader': 'true' }
    const { body } = await ask(`${ours.url}/v3/auth/user/get`, '{"name":"x"}', auth)
    expect(JSON.parse(body)).toMatchObject({ roles: ['simple.7', '', 'true'] })
  })

  test('a watch tells what happens, line by line, until its caller goes', async () => {
    const lines = askLines(`${ours.url}/v3/watch`, JSON.stringify({ create_request: { key: base64('w') } }), 3)
    await new Promise((resolve) => setTimeout(resolve, 200))
    await ask(`${ours.url}/v3/kv/put`, JSON.stringify({ key: base64('w'), value: base64('1') }))
    await ask(`${ours.url}/v3/kv/deleterange`, JSON.stringify({ key: base64('w') }))
    const [created, put, gone] = (await lines).map((line) => (JSON.parse(line) as { result: Record<string, unknown> }).result)
    expect(created).toMatchObject({ created: true })
    expect(put).toMatchObject({ events: [{ kv: { key: base64('w'), value: base64('1') } }] })
    expect(gone).toMatchObject({ events: [{ type: 'DELETE', kv: { key: base64('w') } }] })
  })

  test('closing ends a watch with its reason, and waits for no idle connection', async () => {
    const port = await openEtcdPort({ host: '127.0.0.1', port: 0, service: mapService().service, pages: {} })
    const idle = new Agent({ keepAlive: true })
    await new Promise<void>((resolve, reject) => {
      const asking = httpRequest(`${port.url}/v3/kv/range`, { method: 'POST', agent: idle }, (response) =>
        response.resume().on('end', resolve),
      )
      asking.on('error', reject)
      asking.end(JSON.stringify({ key: A }))
    })
    const lines = askLines(`${port.url}/v3/watch`, JSON.stringify({ create_request: { key: A } }), 2)
    await new Promise((resolve) => setTimeout(resolve, 100))
    const before = performance.now()
    await port.close(20_000)
    expect(performance.now() - before).toBeLessThan(10_000)
    idle.destroy()
    expect(JSON.parse((await lines)[1] ?? '')).toEqual({
      error: { grpc_code: 14, http_code: 503, message: 'etcdserver: server stopped', http_status: 'Service Unavailable' },
    })
  })

  test('a method that is left out is Unimplemented', async () => {
    const { status, body } = await ask(`${ours.url}/v3/cluster/member/list`, '{}')
    expect([status, JSON.parse(body)]).toMatchObject([501, { code: 12 }])
  })

  test('a body over the bound is refused with etcd’s text', async () => {
    const { status, body } = await ask(
      `${ours.url}/v3/kv/put`,
      JSON.stringify({ key: A, value: Buffer.alloc(1_600_000).toString('base64') }),
    )
    expect([status, JSON.parse(body)]).toMatchObject([400, { code: 3, message: 'etcdserver: request is too large' }])
  })
})

const hasEtcd = spawnSync('sh', ['-c', 'command -v etcd']).status === 0

describe.skipIf(!hasEtcd)('beside the gateway of a real etcd', () => {
  let theirs = ''
  let stop: () => Promise<void>

  beforeAll(async () => {
    const dir = mkdtempSync(join(tmpdir(), 'muster-etcd-'))
    const [client, peer] = [await freePort(), await freePort()]
    theirs = `http://127.0.0.1:${client}`
    const peerUrl = `http://127.0.0.1:${peer}`
    const urls = ['--listen-client-urls', theirs, '--advertise-client-urls', theirs, '--listen-peer-urls', peerUrl]
    const cluster = ['--initial-advertise-peer-urls', peerUrl, '--initial-cluster', `default=${peerUrl}`]
    const etcd = spawn('etcd', ['--data-dir', dir, ...urls, ...cluster], { stdio: 'ignore' })
    stop = () =>
      new Promise((resolve) => {
        etcd.once('exit', () => {
          rmSync(dir, { recursive: true })
          resolve()
        })
        etcd.kill()
      })
    for (let tries = 0; tries < 200; tries += 1) {
      const { status } = await ask(`${theirs}/health`, '', {}, 'GET').catch(() => ({ status: 0 }))
      if (status === 200) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error('etcd did not start')
  })
  afterAll(() => stop())

  /** Header values differ by nature; everything else has to be the same, names and their order included. */
  const shape = ({ status, type, body }: Answer): unknown => ({
    status,
    type,
    body: body.replaceAll(/"(cluster_id|member_id|revision|create_revision|mod_revision|raft_term)":"\d+"/g, '"$1":"N"').trim(),
  })

  const same = async (path: string, body: string): Promise<void> => {
    const [real, mine] = [await ask(`${theirs}${path}`, body), await ask(`${ours.url}${path}`, body)]
    expect(shape(mine), `${path} ${body}`).toEqual(shape(real))
  }

  test('the same bodies get the same answers', async () => {
    const cases: [string, string][] = [
      ['/v3/kv/put', JSON.stringify({ key: A, value: base64('x') })],
      ['/v3/kv/put', JSON.stringify({ key: A, value: base64('y'), prev_kv: true })],
      ['/v3/kv/put', JSON.stringify({ key: A, value: base64('y'), prevKv: true, lease: 0 })],
      ['/v3beta/kv/put', JSON.stringify({ key: B, value: '' })],
      ['/v3/kv/range', JSON.stringify({ key: A })],
      ['/v3beta/kv/range', JSON.stringify({ key: B })],
      ['/v3/kv/range', JSON.stringify({ key: A, rangeEnd: base64('z'), limit: '1' })],
      ['/v3/kv/range', JSON.stringify({ key: A, range_end: base64('z'), sort_order: 'ASCEND', sort_target: 0, limit: 1 })],
      ['/v3/kv/range', JSON.stringify({ key: A, revision: '99999' })],
      ['/v3/kv/range', JSON.stringify({ key: base64('missing') })],
      ['/v3/kv/range', JSON.stringify({ key: A, unknown_field: [1] })],
      ['/v3/kv/range', JSON.stringify({ key: A, limit: null })],
      ['/v3/kv/range', '{}'],
      ['/v3/kv/range', ''],
      ['/v3/kv/put', '{"value":"eA=="}'],
      [
        '/v3/kv/txn',
        JSON.stringify({
          compare: [{ key: A, target: 'VERSION', version: '3', result: 'EQUAL' }],
          success: [{ requestPut: { key: A, value: base64('t') } }, { request_range: { key: A } }],
          failure: [{ request_range: { key: B } }],
        }),
      ],
      ['/v3/kv/txn', JSON.stringify({ compare: [{ key: A, version: 77 }], failure: [{ request_range: { key: B } }] })],
      ['/v3/kv/deleterange', JSON.stringify({ key: A, prev_kv: true })],
      ['/v3/kv/deleterange', JSON.stringify({ key: A })],
      ['/v3/lease/timetolive', JSON.stringify({ ID: '77' })],
      ['/v3/kv/lease/timetolive', JSON.stringify({ ID: 77 })],
      ['/v3/lease/revoke', JSON.stringify({ ID: '77' })],
      ['/v3/auth/authenticate', JSON.stringify({ name: 'a', password: 'b' })],
    ]
    for (const [path, body] of cases) await same(path, body)
  })

  test('what is no request is refused in the same way', async () => {
    const bad = [
      '[1]',
      '5',
      '"x"',
      'null',
      '{"key":"YQ==YQ=="}',
      '{"key":"Y-_="}',
      '{"key":"YQ=="}',
      '{"key":"YR=="}',
      '{"key":"YQ\\n=="}',
      '{"key":"YQ==","limit":""}',
      '{"key":"YQ==","limit":" 1"}',
      '{"key":"YQ==","limit":9223372036854775808}',
      '{"key":"YQ==","sort_order":77}',
      '{"key":5}',
      '{"key":true}',
      '{"key":{"a":1}}',
      '{"key":"!!"}',
      '{"key":"YQ"}',
      '{"key":"Y"}',
      '{"key":"YWI"}',
      '{"key":"YQ==","limit":"x"}',
      '{"key":"YQ==","limit":1.5}',
      '{"key":"YQ==","limit":"9223372036854775808"}',
      '{"key":"YQ==","limit":true}',
      '{"key":"YQ==","serializable":1}',
      '{"key":"YQ==","serializable":"true"}',
      '{"key":"YQ==","sort_order":"BAD"}',
      '{"key":"YQ==","sort_order":"ascend"}',
      '{"key":"YQ==","sort_order":true}',
      '{"key":"YQ==","sort_order":1.5}',
    ]
    for (const body of bad) await same('/v3/kv/range', body)
    for (const body of ['{"compare":5}', '{"compare":{}}', '{"success":[5]}', '{"success":["x"]}', '{"success":[[]]}'])
      await same('/v3/kv/txn', body)
    for (const body of ['{"name":5}', '{"name":["x"]}']) await same('/v3/auth/authenticate', body)
    await same('/v3/lease/timetolive', '{"ID":7587862094532120327}')
    for (const body of ['{"ID":"x"}', '[]', '{"ID":"1"}{"ID":"2"}', '']) await same('/v3/lease/keepalive', body)
  })

  test('what is no JSON is refused with the same status and code', async () => {
    for (const body of ['xx', '{', '{"key"}', '{"key":"YQ=="', "{'key':'YQ=='}", 'null x']) {
      const [real, mine] = [await ask(`${theirs}/v3/kv/range`, body), await ask(`${ours.url}/v3/kv/range`, body)]
      expect([mine.status, mine.type, (JSON.parse(mine.body) as { code: number }).code], body).toEqual([
        real.status,
        real.type,
        (JSON.parse(real.body) as { code: number }).code,
      ])
    }
  })

  test('paths that lead nowhere, and other methods', async () => {
    for (const path of ['/v3/nope', '/v3/kv', '/v3/kv/range/x', '/v3beta/nope']) await same(path, '{}')
    const get = async (url: string): Promise<unknown> => shape(await ask(`${url}/v3/kv/range`, '', {}, 'GET'))
    expect(await get(ours.url)).toEqual(await get(theirs))
  })

  test('streams come as the same lines', async () => {
    const watch = JSON.stringify({ create_request: { key: base64('nobody') } })
    const shapes = async (url: string): Promise<string[]> =>
      (await askLines(`${url}/v3/watch`, watch, 1)).map((line) =>
        line.replaceAll(/"(cluster_id|member_id|revision|raft_term|watch_id)":"\d+",?/g, ''),
      )
    expect(await shapes(ours.url)).toEqual(await shapes(theirs))
  })
})
