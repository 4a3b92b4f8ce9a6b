import { createServer as createNetServer } from 'node:net'
import { Agent, request as httpRequest } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import type { MeshSplit } from '../../../src/core/contracts/mesh.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { MESH_POLICY } from '../../../src/core/tw/queries.ts'
import { eventually } from '../../support/eventually.ts'
import { Cleanup, endpoint, listen, raw, service, startBackend, startProxy } from './support.ts'

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

interface Got {
  status: number
  body: string
  reason: string
}

/** One request over a kept connection. */
function get(url: string, agent: Agent, headers: Record<string, string> = {}, method = 'GET'): Promise<Got> {
  return new Promise((resolve) => {
    const call = httpRequest(url, { agent, headers, method }, (answer) => {
      let body = ''
      answer.setEncoding('utf8').on('data', (part: string) => (body += part))
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body, reason: String(answer.headers['x-muster-reason'] ?? '') }))
    })
    call.on('error', (error) => resolve({ status: 0, body: '', reason: error.message }))
    call.end()
  })
}

function keepAlive(): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  cleanup.add(() => agent.destroy())
  return agent
}

const named = (name: string) => startBackend(cleanup, (_request, response) => response.end(name))

/** `count` requests, `width` at a time. */
async function many(count: number, width: number, one: (i: number) => Promise<Got>): Promise<Got[]> {
  const all: Got[] = []
  let next = 0
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < count) {
        const i = next
        next += 1
        all[i] = await one(i)
      }
    }),
  )
  return all
}

const splitOf = (v8: number, epoch: number, more: Partial<MeshSplit> = {}): MeshSplit => ({
  shares: { v7: 1_000_000 - v8, v8 },
  arms: { v7: 'primary', v8: 'canary' },
  salt: 'release-8',
  sticky: 'header:x-user',
  epoch,
  ...more,
})

describe('endpoints', () => {
  it('share the load, less for one that is ten times slower', async () => {
    const backends = await Promise.all(
      [1, 2, 3].map((n) => startBackend(cleanup, (_request, response) => void setTimeout(() => response.end(String(n)), n === 3 ? 50 : 5))),
    )
    const proxy = await startProxy(cleanup, service(backends.map(({ port }, i) => endpoint(i + 1, port))))
    const agent = keepAlive()
    const got = await many(600, 8, () => get(proxy.url, agent))
    const count = (name: string): number => got.filter(({ body }) => body === name).length
    expect(count('1') + count('2') + count('3')).toBe(600)
    expect(Math.min(count('1'), count('2'))).toBeGreaterThan(180)
    expect(count('3')).toBeLessThan(100)
  })

  it('killed under load lose no idempotent request, and are ejected', async () => {
    const backends = await Promise.all(['a', 'b', 'c'].map(named))
    const proxy = await startProxy(cleanup, service(backends.map(({ port }, i) => endpoint(i + 1, port))))
    const agent = keepAlive()
    const got = await many(3000, 12, async (i) => {
      if (i === 500) {
        backends[0]?.server.close()
        backends[0]?.server.closeAllConnections()
      }
      return get(proxy.url, agent)
    })
    expect(got.filter(({ status }) => status !== 200)).toEqual([])
    const dead = proxy.proxy.stats().services[0]?.endpoints[0]
    expect(dead?.failures).toBeGreaterThan(0)
  })

  it('killed together are each tried once at most by a request: with two of three gone the third answers all', async () => {
    const backends = await Promise.all(['a', 'b', 'c'].map(named))
    const proxy = await startProxy(cleanup, service(backends.map(({ port }, i) => endpoint(i + 1, port))))
    const agent = keepAlive()
    await many(200, 16, () => get(proxy.url, agent))
    const got = await many(600, 8, async (i) => {
      if (i === 40) {
        for (const { server } of backends.slice(0, 2)) {
          server.close()
          server.closeAllConnections()
        }
      }
      // Slow enough that the budget of ten retries a second lasts.
      if (i > 40) await sleep(20)
      return get(proxy.url, agent)
    })
    expect(got.filter(({ status }) => status !== 200)).toEqual([])
    expect((await proxy.eventsArrived(800)).some(({ tries }) => tries > 1)).toBe(true)
  })

  it('removed from the snapshot finish what runs and get nothing new, within 100 ms', async () => {
    let isRunning = false
    const slow = await startBackend(cleanup, (_request, response) => {
      isRunning = true
      setTimeout(() => response.end('old'), 2000)
    })
    const next = await named('new')
    const proxy = await startProxy(cleanup, service([endpoint(1, slow.port)]))
    const agent = keepAlive()
    const running = get(proxy.url, agent)
    await eventually('it runs', 20_000, () => isRunning)
    const set = async (id: number): Promise<number> => {
      const at = performance.now()
      await proxy.set(service([endpoint(id, next.port)]))
      expect((await get(proxy.url, agent)).body).toBe('new')
      return performance.now() - at
    }
    const tookMs = [await set(2)]
    expect(proxy.proxy.stats().services[0]?.endpoints.map(({ state }) => state)).toEqual(['in-use', 'draining'])
    expect(await running).toMatchObject({ status: 200, body: 'old' })
    expect(proxy.proxy.stats().services[0]?.endpoints).toHaveLength(1)
    // The best of five: that of a moment at which the machine does nothing else.
    for (const id of [3, 4, 5, 6]) tookMs.push(await set(id))
    expect(Math.min(...tookMs)).toBeLessThan(100)
  })

  it('answering 503 are tried elsewhere; a POST and a 503 of another proxy are passed on', async () => {
    let posts = 0
    const sick = await startBackend(cleanup, (request, response) => {
      if (request.method === 'POST') posts += 1
      if (request.headers['x-inner'] !== undefined) response.setHeader('x-muster-reason', 'overflow')
      response.writeHead(503).end('sick')
    })
    const well = await named('well')
    const proxy = await startProxy(cleanup, service([endpoint(1, sick.port), endpoint(2, well.port)]))
    const agent = keepAlive()
    const got = await many(40, 2, () => get(proxy.url, agent))
    expect(got.every(({ body }) => body === 'well')).toBe(true)
    expect((await proxy.eventsArrived(40)).some(({ tries }) => tries === 2)).toBe(true)
    const inner = await many(40, 2, () => get(proxy.url, agent, { 'x-inner': '1' }))
    expect(inner.some(({ status }) => status === 503)).toBe(true)
    const posted = await many(40, 2, () => get(proxy.url, agent, {}, 'POST'))
    expect(posted.filter(({ status }) => status === 503)).toHaveLength(posts)
  })

  it('that all refuse use up the retry budget and no more', async () => {
    const gone = await Promise.all(['a', 'b'].map(named))
    for (const { server } of gone) {
      server.close()
      server.closeAllConnections()
    }
    const proxy = await startProxy(cleanup, service(gone.map(({ port }, i) => endpoint(i + 1, port))))
    const agent = keepAlive()
    const got = await many(300, 16, () => get(proxy.url, agent))
    expect(new Set(got.map(({ status }) => status))).toEqual(new Set([503]))
    expect(new Set(got.map(({ reason }) => reason))).toEqual(new Set(['connect-failed', 'retry-budget']))
    const retries = proxy.proxy.stats().services[0]?.retries ?? 0
    expect(retries).toBeGreaterThan(50)
    expect(retries).toBeLessThanOrEqual(100)
  })

  it('over the limit of running requests are not asked: 503 overflow at once', async () => {
    const slow = await startBackend(cleanup, (_request, response) => void setTimeout(() => response.end('ok'), 200))
    const proxy = await startProxy(cleanup, service([endpoint(1, slow.port)], { policy: { ...MESH_POLICY, runningMax: 4 } }))
    const agent = keepAlive()
    const got = await many(8, 8, () => get(proxy.url, agent))
    expect(got.filter(({ reason }) => reason === 'overflow')).toHaveLength(4)
    expect(got.filter(({ status }) => status === 200)).toHaveLength(4)
  })
})

describe('splits', () => {
  it('keep a user where it is while the share grows, within 4 sigma of the share, and mark the arm', async () => {
    const [old, next] = await Promise.all(['v7', 'v8'].map(named))
    const endpoints = [endpoint(1, old!.port, { subset: 'v7' }), endpoint(2, next!.port, { subset: 'v8' })]
    const proxy = await startProxy(cleanup, service(endpoints, { split: splitOf(0, 1) }))
    const agent = keepAlive()
    const users = 2000
    let before = new Set<number>()
    for (const [i, share] of [50_000, 250_000].entries()) {
      await proxy.set(service(endpoints, { split: splitOf(share, 2 + i) }))
      const got = await many(users, 16, (user) => get(proxy.url, agent, { 'x-user': `u${user}` }))
      const now = new Set(got.flatMap(({ body }, user) => (body === 'v8' ? [user] : [])))
      const p = share / 1_000_000
      expect(Math.abs(now.size - users * p)).toBeLessThan(4 * Math.sqrt(users * p * (1 - p)))
      expect([...before].filter((user) => !now.has(user))).toEqual([])
      before = now
    }
    const rows = await proxy.eventsArrived(2 * users)
    expect(rows.every(({ version, arm }) => arm === (version === 'v8' ? 'canary' : 'primary'))).toBe(true)
    expect(rows.every(({ user }) => /^u\d+$/.test(user))).toBe(true)
  })

  it('of a lower epoch are refused, also after the split was taken away and over a restart', async () => {
    const [old, next] = await Promise.all(['v7', 'v8'].map(named))
    const endpoints = [endpoint(1, old!.port, { subset: 'v7' }), endpoint(2, next!.port, { subset: 'v8' })]
    const proxy = await startProxy(cleanup, service(endpoints, { split: splitOf(0, 5) }))
    const agent = keepAlive()
    await proxy.set(service(endpoints, { split: splitOf(1_000_000, 4) }))
    expect((await get(proxy.url, agent, { 'x-user': 'a' })).body).toBe('v7')
    await proxy.set()
    await proxy.set(service(endpoints, { split: splitOf(0, 5) }))
    await proxy.set(service(endpoints, { split: splitOf(1_000_000, 4) }))
    expect((await get(proxy.url, agent, { 'x-user': 'a' })).body).toBe('v7')
    expect(proxy.proxy.stats().services[0]?.epoch).toBe(5)
  })

  it('to a subset without endpoints go to the others, and say so', async () => {
    const only = await named('v7')
    const proxy = await startProxy(cleanup, service([endpoint(1, only.port, { subset: 'v7' })], { split: splitOf(1_000_000, 1) }))
    expect((await get(proxy.url, keepAlive(), { 'x-user': 'a' })).body).toBe('v7')
    expect((await proxy.eventsArrived(1))[0]).toMatchObject({ reason: 'split-empty', version: 'v7', arm: 'primary' })
  })

  it('a canary that refuses connections fails no user, and its rows name split-empty', async () => {
    const well = await named('v7')
    const dead = await named('v8')
    dead.server.close()
    const endpoints = [endpoint(1, well.port, { subset: 'v7' }), endpoint(2, dead.port, { subset: 'v8' })]
    const proxy = await startProxy(cleanup, service(endpoints, { split: splitOf(1_000_000, 1) }))
    expect(await get(proxy.url, keepAlive(), { 'x-user': 'a' })).toMatchObject({ status: 200, body: 'v7' })
    expect((await proxy.eventsArrived(1))[0]).toMatchObject({ reason: 'split-empty', tries: 2 })
  })
})

describe('faults', () => {
  const fault = { id: '9/1', run: '9', salt: 's', delayMs: 0, jitterMs: 0, status: 503, match: {}, usersMax: 1_000_000, share: 1_000_000 }

  it('answer, delay and reset as asked, mark their rows, and end by themselves', async () => {
    const backend = await named('ok')
    const proxy = await startProxy(cleanup, service([endpoint(1, backend.port)]))
    const agent = keepAlive()
    const untilMs = Date.now() + 60_000
    await proxy.set(service([endpoint(1, backend.port)], { faults: [{ ...fault, kind: 'status', status: 500, untilMs }] }))
    expect(await get(proxy.url, agent)).toMatchObject({ status: 500, reason: 'fault' })
    await proxy.set(
      service([endpoint(1, backend.port)], { faults: [{ ...fault, id: '9/2', kind: 'delay', delayMs: 120, jitterMs: 20, untilMs }] }),
    )
    const at = performance.now()
    expect((await get(proxy.url, agent)).status).toBe(200)
    expect(performance.now() - at).toBeGreaterThan(95)
    await proxy.set(service([endpoint(1, backend.port)], { faults: [{ ...fault, id: '9/3', kind: 'reset', untilMs: Date.now() + 1000 }] }))
    expect(await get(proxy.url, agent)).toMatchObject({ status: 0 })
    await sleep(1010)
    expect((await get(proxy.url, agent)).status).toBe(200)
    const rows = await proxy.eventsArrived(4)
    expect(rows.map(({ fault: id, reason }) => [id, reason])).toEqual([
      ['9/1', 'fault'],
      ['9/2', ''],
      ['9/3', 'fault'],
      ['', ''],
    ])
    expect(rows[1]?.latency_ms).toBeGreaterThan(95)
  })
})

describe('layer 4', () => {
  it('passes bytes through on the service port, and tries another endpoint when one cannot be reached', async () => {
    const server = createNetServer((socket) => socket.pipe(socket))
    const port = await listen(server)
    cleanup.add(() => server.close())
    const gone = await named('x')
    gone.server.close()
    const proxy = await startProxy(cleanup, service([endpoint(1, port), endpoint(2, gone.port)], { protocol: 'tcp' }))
    const own = proxy.proxy.stats().servicePorts['web'] ?? 0
    for (let i = 0; i < 8; i += 1) expect(await raw(own, 'ping', 'ping')).toBe('ping')
  })
})
