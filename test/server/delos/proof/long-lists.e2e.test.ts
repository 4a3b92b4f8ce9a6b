import { readFileSync } from 'node:fs'
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2'
import { availableParallelism, loadavg } from 'node:os'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectNative } from '../../../../src/client/native/connect.ts'
import { rangeRequest, under } from '../../../../src/core/delos/recipes/etcd/request.ts'
import { codecOf } from '../../../../src/core/kernel/protobuf/codec.ts'
import { encode } from '../../../../src/core/kernel/protobuf/encode.ts'
import { RANGE_REQUEST } from '../../../../src/core/delos/wire/protobuf/schemas/kv.ts'
import { eventually } from '../../../support/eventually.ts'
import { gateway, newDelosServers, putKey, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'

const MIB = 1024 * 1024
/** 96 MiB in long values, and so many short ones that a look at all keys takes more than one slice. */
const LARGE = 96
const SMALL = 12_000
const KEYS = LARGE + SMALL
const PAGES = 4
const TTL_S = 5
/** Readers go on for so long, and until each has had the whole list. */
const ASKING_MS = 8000
/** Less than one of the answers under way: they share their values with the store, and are encoded as they are read. */
const GROWTH_BYTES_MAX = LARGE * MIB

const range = codecOf(RANGE_REQUEST)
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const nameOf = (i: number): string => `list/${String(i).padStart(6, '0')}`
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** With so much other work nobody gets the processor in time, and leaders change without any list: that they do not is claimed only below it. */
const isStarved = (): boolean => (loadavg()[0] ?? 0) > 3 * availableParallelism()

type Method = 'Range' | 'RangeStream'

/** Asks over gRPC, reads the whole answer and keeps none of it. @returns its bytes */
function ask(session: ClientHttp2Session, method: Method, request: Uint8Array): Promise<number> {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(request.length, 1)
  const stream = session.request({
    ':method': 'POST',
    ':path': `/etcdserverpb.KV/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  let bytes = 0
  let status = ''
  const look = (headers: Record<string, unknown>): void => {
    if (headers['grpc-status'] !== undefined) status = `${String(headers['grpc-status'])} ${String(headers['grpc-message'] ?? '')}`
  }
  stream.on('response', look)
  stream.on('trailers', look)
  stream.on('data', (part: Buffer) => (bytes += part.length))
  stream.end(Buffer.concat([head, request]))
  return new Promise((resolve, reject) => {
    stream.on('error', reject)
    stream.on('close', () => (status.startsWith('0') ? resolve(bytes) : reject(new Error(`${method}: ${status}`))))
  })
}

describe('three servers that are asked for long lists again and again', () => {
  let cluster: DelosServers
  const residentBytes = (server: DelosServerProcess): number =>
    Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.pid()}/status`, 'utf8'))?.[1]) * 1024
  const termOf = async ({ url }: DelosServerProcess): Promise<string> =>
    (await gateway(url, 'maintenance/status', {}, '', 60_000)).body.raftTerm as string

  beforeAll(async () => {
    // A machine that runs other tests beside these is no place for elections of a tenth of a second.
    cluster = await newDelosServers(3, ['--profile', 'wan'])
    for (const server of cluster.servers) server.start()
    await cluster.healthy()
    const client = connectNative({ endpoints: cluster.servers.map(({ url }) => url), answerMs: 60_000, patienceMs: 120_000 })
    const value = 'v'.repeat(MIB)
    for (let i = 0; i < LARGE; i += 4) await Promise.all([0, 1, 2, 3].map((j) => client.put(nameOf(i + j), value)))
    await Promise.all(Array.from({ length: SMALL }, (_, i) => client.put(nameOf(LARGE + i), 'v')))
    client.close()
  }, 240_000)
  afterAll(() => cluster.remove())

  test('renew leases, answer puts and keep their leader meanwhile, with a bounded part of the memory', async () => {
    const { servers } = cluster
    const allTerms = (): Promise<string[]> => Promise.all(servers.map(termOf))
    const terms = await eventually('all know one leader, a while after the last was put', 60_000, async () => {
      const first = await allTerms()
      await pause(1000)
      const second = await allTerms()
      return new Set([...first, ...second]).size === 1 ? second : null
    })
    const before = servers.map(residentBytes)
    const until = Date.now() + ASKING_MS
    const whole = encode(range, rangeRequest(under('list')))
    const pages = Array.from({ length: PAGES }, (_, page) =>
      encode(range, rangeRequest({ key: nameOf((KEYS / PAGES) * page), range_end: 'list0' }, { limit: KEYS / PAGES })),
    )

    const ways: Record<string, (session: ClientHttp2Session) => Promise<number>> = {
      whole: (session) => ask(session, 'Range', whole),
      streamed: (session) => ask(session, 'RangeStream', whole),
      'in pages': async (session) => {
        let bytes = 0
        for (const page of pages) bytes += await ask(session, 'Range', page)
        return bytes
      },
    }
    /** Whole lists that were read; each reader asks anew as soon as it has one. */
    const lists = new Map<string, number>()
    const isOver = (): boolean => Date.now() > until && lists.size === servers.length * 2
    const reader = async (server: DelosServerProcess, name: string, how: readonly string[]): Promise<void> => {
      const session = connectHttp2(server.url, { settings: { initialWindowSize: 4 * MIB } })
      session.on('error', () => undefined)
      for (let i = 0; !isOver(); i += 1) {
        const list = ways[how[i % how.length] as string] as (session: ClientHttp2Session) => Promise<number>
        expect(await list(session)).toBeGreaterThan(LARGE * MIB)
        lists.set(`${server.name} ${name}`, i + 1)
      }
      session.destroy()
    }
    const writer = async ({ url, name }: DelosServerProcess): Promise<void> => {
      for (let i = 0; !isOver(); i += 1) {
        await eventually('the put is answered', 20_000, async () => (await putKey(url, `put/${name}`, String(i))) !== null)
        await pause(20)
      }
    }
    /** Renewed at the third of its time, as clients do; one that had ended would never be again. */
    const keeper = async ({ url, name }: DelosServerProcess): Promise<void> => {
      const { body } = await gateway(url, 'lease/grant', { TTL: TTL_S }, '', 20_000)
      const { body: put } = await gateway(url, 'kv/put', { key: base64(`leased/${name}`), value: '', lease: body.ID }, '', 20_000)
      while (!isOver()) {
        const isRenewed = async (): Promise<boolean> => {
          const { body: answer } = await gateway(url, 'lease/keepalive', { ID: body.ID })
          return Number(answer.result?.TTL) === TTL_S
        }
        await eventually('the lease is renewed', 20_000, isRenewed)
        await pause((TTL_S * 1000) / 3)
      }
      const { body: found } = await gateway(url, 'kv/range', { key: base64(`leased/${name}`) }, '', 20_000)
      expect(found.kvs).toMatchObject([{ create_revision: put.header.revision, lease: body.ID }])
    }
    const grown = servers.map(() => 0)
    const watchMemory = async (): Promise<void> => {
      while (!isOver()) {
        for (const [i, server] of servers.entries()) grown[i] = Math.max(grown[i] ?? 0, residentBytes(server) - (before[i] ?? 0))
        await pause(100)
      }
    }
    await Promise.all([
      ...servers.map((server) => reader(server, 'one', ['whole', 'in pages'])),
      ...servers.map((server) => reader(server, 'other', ['streamed'])),
      ...servers.map(writer),
      ...servers.map(keeper),
      watchMemory(),
    ])
    if (!isStarved()) expect(await allTerms()).toEqual(terms)
    for (const bytes of grown) expect(bytes).toBeLessThan(GROWTH_BYTES_MAX)
  }, 240_000)
})
