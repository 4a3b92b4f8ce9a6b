import { createServer, type IncomingMessage, type Server } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLogger } from '../../../src/platform/logger.ts'
import { textOf } from '../../../src/platform/streams.ts'
import { openLeaderLink, type LeaderLink } from '../../../src/server/following/leader-link.ts'
import { tellLeader } from '../../../src/server/following/tell-leader.ts'
import type { ScubaClient } from '../../../src/server/scuba/client.ts'
import { Spool } from '../../../src/server/scuba/leaf/spool.ts'
import { eventually } from '../../support/eventually.ts'

/** Server 1 follows; 2 and 3 may lead. */
let leader: bigint | null
let isLeading: boolean
let servers: { http: Server; got: string[]; statuses: number[] }[]
let link: LeaderLink
let spool: Spool
let lost: number
let telling: { stop: () => Promise<void> }

beforeEach(async () => {
  leader = 2n
  isLeading = false
  lost = 0
  servers = []
  for (let i = 0; i < 2; i += 1) {
    const got: string[] = []
    const statuses: number[] = []
    const http = createServer(async (asked: IncomingMessage, response) => {
      const body = await textOf(asked)
      const status = statuses.shift() ?? 200
      if (status === 0) {
        // It was added, and the answer is lost.
        got.push(`${String(asked.headers['idempotency-key'])} ${asked.url} ${body}`)
        return void asked.socket.destroy()
      }
      if (status < 300) got.push(`${String(asked.headers['idempotency-key'])} ${asked.url} ${body}`)
      response.writeHead(status).end('{}')
    })
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    servers.push({ http, got, statuses })
  }
  const ports = servers.map(({ http }) => (http.address() as AddressInfo).port)
  const openClient = async (id: bigint) => connect(ports[Number(id) - 2] ?? 0, '127.0.0.1').on('error', () => undefined)
  const openSelf = (): never => expect.unreachable('a leader tells nobody')
  link = openLeaderLink({ self: 1n, openClient, openSelf, leader: () => leader } as never)
  spool = new Spool(200)
  const leaf: Pick<ScubaClient, 'spooled' | 'spoolOff'> = {
    spooled: async (after, waitMs, signal) => {
      const batch = await spool.next(after, Math.min(50, waitMs), signal)
      return { batch: batch && { ...batch, place: `${spool.id}-${batch.seq}` }, droppedRows: spool.counts.droppedRows }
    },
    spoolOff: async () => spool.off(),
  }
  telling = tellLeader({
    ...{ leaf, link, log: createLogger(null), leads: () => isLeading, hasOthers: () => true },
    onLost: (rows) => (lost += rows),
  })
})
afterEach(async () => {
  await telling.stop()
  link.close()
  for (const { http } of servers) {
    http.closeAllConnections()
    http.close()
  }
})

const tell = (key: string, body = key): void => spool.add({ table: 'requests', key, ack: 'fsync', rows: 1, body: Buffer.from(body) })
const said = (key: string): string => `${key} /v1/scuba/tables/requests/rows?ack=fsync ${key}`

test('the leader gets each batch under its key, in order; one whose answer was lost comes again under the same', async () => {
  servers[0]?.statuses.push(200, 0)
  await eventually('it asks', 5000, () => spool.counts.batches === 0)
  for (const key of ['a', 'b', 'c']) tell(key)
  await eventually('all', 10_000, () => servers[0]?.got.includes(said('c')) === true)
  expect(servers[0]?.got).toEqual(['a', 'b', 'b', 'c'].map(said))
  expect(lost).toBe(0)
})

test('while nobody leads batches wait, and the next leader gets them; the oldest go when there are too many', async () => {
  await new Promise((resolve) => setTimeout(resolve, 100))
  leader = null
  for (let i = 0; i < 30; i += 1) tell(`k${String(i).padStart(2, '0')}`, 'x'.repeat(10))
  await new Promise((resolve) => setTimeout(resolve, 400))
  leader = 3n
  await eventually('the newest', 10_000, () => servers[1]?.got.some((one) => one.startsWith('k29')) === true)
  expect(servers[0]?.got).toEqual([])
  expect(servers[1]?.got.length).toBeLessThanOrEqual(20)
  expect(lost).toBe(30 - (servers[1]?.got.length ?? 0))
})

test('a batch that the leader refuses for good does not stand in the way, and is counted; a busy leader is asked again', async () => {
  servers[0]?.statuses.push(400, 503, 200)
  await new Promise((resolve) => setTimeout(resolve, 100))
  for (const key of ['bad', 'good']) tell(key)
  await eventually('the good one', 10_000, () => servers[0]?.got.length === 1)
  expect(servers[0]?.got).toEqual([said('good')])
  expect(lost).toBe(1)
})

test('a server that takes the lead keeps nothing for others', async () => {
  await new Promise((resolve) => setTimeout(resolve, 100))
  leader = null
  tell('mine')
  isLeading = true
  await eventually('an empty spool', 5000, () => spool.counts.batches === 0)
  expect(servers.flatMap(({ got }) => got)).toEqual([])
})
