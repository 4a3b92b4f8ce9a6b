import { readFileSync } from 'node:fs'
import { connect as connectHttp2, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectNative } from '../../../../src/client/native/connect.ts'
import { rangeRequest, under } from '../../../../src/core/delos/recipes/etcd/request.ts'
import { codecOf } from '../../../../src/core/kernel/protobuf/codec.ts'
import { encode } from '../../../../src/core/kernel/protobuf/encode.ts'
import { RANGE_REQUEST } from '../../../../src/core/delos/wire/protobuf/schemas/kv.ts'
import { gateway, newDelosServers, putKey, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'
import { eventually } from '../../../support/eventually.ts'

const MIB = 1024 * 1024
const KEYS = 180
const range = codecOf(RANGE_REQUEST)
const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** Asks over gRPC for so many keys of 1 MiB, and reads nothing of the answer but what says that it was refused. */
function askAndDoNotRead(session: ClientHttp2Session, limit: number): { stream: ClientHttp2Stream; status: () => string | undefined } {
  const request = encode(range, rangeRequest(under('big'), { limit }))
  const head = Buffer.alloc(5)
  head.writeUInt32BE(request.length, 1)
  const stream = session.request({
    ':method': 'POST',
    ':path': '/etcdserverpb.KV/Range',
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  let status: string | undefined
  const look = (headers: Record<string, unknown>): void => {
    if (typeof headers['grpc-status'] === 'string') status = `${headers['grpc-status']} ${String(headers['grpc-message'])}`
  }
  stream
    .on('response', look)
    .on('trailers', look)
    .on('error', () => undefined)
  stream.pause()
  stream.end(Buffer.concat([head, request]))
  return { stream, status: () => status }
}

describe('lists that are large', () => {
  let cluster: DelosServers
  let server: DelosServerProcess
  const residentBytes = (): number => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.pid()}/status`, 'utf8'))?.[1]) * 1024
  const metric = async (name: string): Promise<number> =>
    Number(new RegExp(`^${name} (.*)$`, 'm').exec(await (await fetch(`${server.url}/metrics`)).text())?.[1])

  beforeAll(async () => {
    cluster = await newDelosServers(1)
    server = cluster.servers[0] as DelosServerProcess
    server.start()
    await cluster.healthy()
    const client = connectNative({ endpoints: [server.url] })
    const value = 'v'.repeat(MIB)
    for (let i = 0; i < KEYS; i += 4) await Promise.all([0, 1, 2, 3].map((j) => client.put(`big/${String(i + j).padStart(4, '0')}`, value)))
    client.close()
  }, 240_000)
  afterAll(() => cluster.remove())

  test('are refused as a whole, and come page by page', async () => {
    const ask = (limit: number, from = 'big/'): ReturnType<typeof gateway> =>
      gateway(server.url, 'kv/range', { key: base64(from), range_end: base64('big0'), limit }, '', 60_000)
    const whole = await ask(0)
    expect([whole.status, whole.body.code, whole.body.error]).toEqual([429, 8, expect.stringMatching(/over 128 MiB.*limit/)])
    const keys: string[] = []
    const client = connectNative({ endpoints: [server.url], answerMs: 60_000, patienceMs: 120_000 })
    await expect(client.range(rangeRequest(under('big')))).rejects.toThrow(/over 128 MiB/)
    const { range_end } = under('big')
    for (let key = 'big/'; key !== '';) {
      const { kvs, more } = await client.range(rangeRequest({ key, range_end }, { limit: 50 }))
      for (const kv of kvs) keys.push(kv.key)
      key = more ? `${keys.at(-1)}\0` : ''
    }
    client.close()
    expect([keys.length, new Set(keys).size]).toEqual([KEYS, KEYS])
  }, 240_000)

  test('that nobody reads take a bounded part of the memory; what is more is refused, and everybody else is answered', async () => {
    const before = residentBytes()
    const refusedBefore = await metric('muster_delos_bounds_hit_total')
    const sessions = Array.from({ length: 8 }, () => connectHttp2(server.url))
    for (const session of sessions) session.on('error', () => undefined)
    const asked = sessions.map((session) => askAndDoNotRead(session, 120))
    await eventually('some are refused', 90_000, () => asked.filter(({ status }) => status() !== undefined).length >= 4)
    let most = 0
    for (let i = 0; i < 20; i += 1) {
      expect(await putKey(server.url, 'small', String(i), 8000)).not.toBeNull()
      most = Math.max(most, residentBytes())
    }
    const told = asked.map(({ status }) => status()).filter((status) => status !== undefined)
    for (const status of told) expect(status).toMatch(/^8 .*many/)
    // Eight answers would be 960 MiB, and as much again while they are made.
    expect(most - before).toBeLessThan(950 * MIB)
    expect(await metric('muster_delos_answers_queued_bytes')).toBeGreaterThan(100 * MIB)
    expect((await metric('muster_delos_bounds_hit_total')) - refusedBefore).toBe(told.length)
    for (const session of sessions) session.destroy()
    await eventually('they are let go of', 20_000, async () => (await metric('muster_delos_answers_queued_bytes')) === 0)
    expect(
      (await gateway(server.url, 'kv/range', { key: base64('big/'), range_end: base64('big0'), limit: 10 }, '', 60_000)).body.kvs,
    ).toHaveLength(10)
  }, 240_000)
})
