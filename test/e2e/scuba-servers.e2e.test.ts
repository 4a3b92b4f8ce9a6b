import { afterAll, beforeAll, expect, test } from 'vitest'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { statePaths } from '../../src/platform/paths.ts'
import { createScubaClient } from '../../src/server/scuba/client.ts'
import { textOf } from '../../src/platform/streams.ts'
import { leafPidFile } from '../../src/server/scuba/process.ts'
import { eventually } from '../support/eventually.ts'
import { newFleet } from '../support/fleet.ts'

/** Three servers of one fleet, each with a leaf of its own, and a node beside the first that has one too. */
const servers = ['a', 'b', 'c'].map((name) => {
  const fleet = newFleet()
  const paths = statePaths('default', fleet.env)
  return { name, fleet, paths, leaf: createScubaClient(paths.scubaSocket) }
})
type Server = (typeof servers)[number]
const [A, B, C] = servers as [Server, Server, Server]

beforeAll(async () => {
  await A.fleet.data('up', '--name', 'a')
  // One that is alone has no port for others.
  expect(readdirSync(A.paths.scuba)).not.toContain('peers.json')
  expect(await leavesSeenBy(A)).toMatchObject([{ node: null, server: null, state: 'present' }])
  expect((await A.fleet.data('scuba', 'leaf', 'join', 'n1')).address).toMatch(/^unix:/)
  await A.leaf.send('events', rows('before', 5))
  const { token } = await A.fleet.data('delos', 'member', 'token', '--uses', '2')
  for (const { name, fleet } of [B, C]) await fleet.data('up', '--join', token, '--name', name, '--voter')
  await eventually('three voters', 120_000, async () => {
    const members = await membersSeenBy(C)
    return members.filter(({ role, trouble }) => role === 'voter' && trouble === null).length === 3
  })
}, 240_000)
afterAll(async () => {
  for (const { fleet, leaf } of servers) {
    leaf.close()
    await fleet.end()
  }
}, 120_000)

interface Member {
  name: string
  role: string
  leads: boolean
  trouble: string | null
}
interface LeafLine {
  leaf: string
  node: string | null
  server: string | null
  state: string
  holds: { registryVersion: number } | null
}
const membersSeenBy = async ({ fleet }: Server): Promise<Member[]> =>
  ((await fleet.data('delos', 'member', 'ls')) as { members: Member[] }).members
const leavesSeenBy = async ({ fleet }: Server): Promise<LeafLine[]> =>
  ((await fleet.data('scuba', 'leaves')) as { leaves: LeafLine[] }).leaves
const leaderSeenBy = async (server: Server): Promise<Server> => {
  const name = (await membersSeenBy(server)).find(({ leads }) => leads)?.name
  return servers.find((one) => one.name === name) ?? Promise.reject(new Error('nobody leads'))
}
const others = (than: Server): [Server, Server] => servers.filter((one) => one !== than) as [Server, Server]
const leafOf = ({ paths }: Server): string => readFileSync(join(paths.scuba, 'leaf-name'), 'utf8').trim()
const pidOf = (file: string): number => (JSON.parse(readFileSync(file, 'utf8')) as { pid: number }).pid
const rows = (from: string, count: number): object[] => Array.from({ length: count }, (_, n) => ({ from, n }))

interface Answer {
  rows: unknown[][]
  coverage: { rows: number; leaves: number; leavesAsked: number; missing: string[] }
}
/** An answer that is not whole has an exit code of its own. On a busy machine nobody leads for a moment now and then. */
async function ask({ fleet }: Server, sql: string): Promise<Answer> {
  for (const until = Date.now() + 30_000; ;) {
    const { json, stdout, stderr } = await fleet.muster('scuba', 'query', sql, '--json')
    if (json?.data !== undefined) return json.data as Answer
    if (json?.error?.code !== 'DELOS_NO_QUORUM' || Date.now() > until) throw new Error(stdout + stderr)
  }
}
const COUNTS = 'SELECT "from", count(*), count(DISTINCT n) FROM events GROUP BY ALL ORDER BY ALL'

/** Sends rows to the server of a machine, as any client does; gives the status. */
function post({ paths }: Server, table: string, sent: readonly object[], more: Record<string, string> = {}): Promise<number> {
  const body = sent.map((row) => JSON.stringify(row)).join('\n')
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/x-ndjson', 'content-length': body.length, ...more }
    const path = `/v1/scuba/tables/${table}/rows`
    const sending = request({ socketPath: paths.socket, method: 'POST', path, headers, timeout: 10_000 }, (answer) => {
      textOf(answer).then(() => resolve(answer.statusCode ?? 0), reject)
    })
    sending.once('timeout', () => sending.destroy(new Error('no answer')))
    sending.once('error', reject)
    sending.end(body)
  })
}

/** Rows under a key, until they are acknowledged. */
async function sendUntilTaken(server: Server, key: string, sent: readonly object[]): Promise<void> {
  const once = (): Promise<number> => post(server, 'orders', sent, { 'idempotency-key': key }).catch(() => 0)
  await eventually(`batch ${key} is taken`, 90_000, async () => (await once()) === 200)
}

test(
  'the leaf of each server is one of the fleet, with the registry of all, and each server gives the same answer',
  { timeout: 120_000 },
  async () => {
    const seen = async (): Promise<string[]> =>
      (await leavesSeenBy(B))
        .flatMap(({ node, server, state, holds }) => (state === 'present' && holds ? [`${server} ${node}`] : []))
        .sort()
    // The node's is not reached by its socket from other machines, and has a port by now.
    await eventually('all leaves', 60_000, async () => (await seen()).join() === 'a n1,a null,b null,c null')
    // What is sent to the leaf beside a server without a key, by an agent or a proxy, stays there.
    for (const { leaf, name } of servers) await leaf.send('requests', [{ service: 'web', status: 200, latency_ms: 5, user: name }])
    await B.leaf.send('events', rows('b', 20))
    await C.leaf.send('events', rows('c', 30), { key: 'c-1' })
    const wanted = [
      ['b', 20, 20],
      ['before', 5, 5],
      ['c', 30, 30],
    ]
    for (const server of servers) {
      await eventually(
        `the answer of ${server.name}`,
        10_000,
        async () => JSON.stringify((await ask(server, COUNTS)).rows) === JSON.stringify(wanted),
      )
      const { coverage } = await ask(server, COUNTS)
      expect(coverage).toMatchObject({ rows: 1, leaves: 4, leavesAsked: 4, missing: [] })
      const panel = await server.fleet.data('scuba', 'panel', 'requests', '--calc', 'count', '--by', 'user', '--since', '5m')
      expect(panel.coverage).toMatchObject({ leaves: 4, missing: [] })
      expect(panel.groups.map(({ key }: { key: { user: string } }) => key.user).sort()).toEqual(['a', 'b', 'c'])
    }
    const web = { table: 'requests', service: 'web', fromMs: Math.floor(Date.now() / 1000) * 1000 - 60_000 } as const
    for (const { leaf } of servers) {
      const { buckets, missing } = await leaf.live(web)
      expect([buckets.reduce((sum, { requests }) => sum + requests, 0), missing ?? []]).toEqual([3, []])
    }
    // Each fills this table by itself: no entry is counted three times.
    const [line] = (await ask(B, 'SELECT count(*), count(DISTINCT position) FROM muster_log_entries')).rows
    expect(line?.[0]).toBe(line?.[1])
  },
)

test('a server takes rows in while no other server does anything', { timeout: 60_000 }, async () => {
  const pids = [A, C].map(({ fleet }) => fleet.serverPid() as number)
  for (const pid of pids) process.kill(pid, 'SIGSTOP')
  try {
    expect(await post(B, 'requests', [{ service: 'web', status: 200, latency_ms: 5, user: 'alone' }])).toBe(200)
  } finally {
    for (const pid of pids) process.kill(pid, 'SIGCONT')
  }
  await eventually('it is in an answer', 30_000, async () => {
    const { rows: found, coverage } = await ask(C, `SELECT count(*) FROM requests WHERE "user" = 'alone'`)
    return found[0]?.[0] === 1 && coverage.rows === 1
  })
})

let written = 0
const write = async (server: Server, count: number): Promise<void> => {
  for (const until = written + count; written < until; written += 1) await sendUntilTaken(server, `order-${written}`, [{ order: written }])
}
const USERS = 'SELECT "user", count(*) FROM requests GROUP BY ALL ORDER BY ALL'
const ORDERS = 'SELECT count(*), count(DISTINCT "order") FROM orders'

test(
  'while a machine that led is gone the answers of the next leader say whose rows are missing; when it is back they are whole, each row once',
  { timeout: 300_000 },
  async () => {
    const leader = await leaderSeenBy(A)
    const [one, two] = others(leader)
    await write(leader, 12)
    await write(one, 12)
    await eventually('all of it', 10_000, async () => JSON.stringify((await ask(two, ORDERS)).rows) === '[[24,24]]')
    await leader.leaf.send('requests', [{ service: 'web', status: 200, latency_ms: 5, user: 'last' }])

    const kill = (): void => {
      process.kill(leader.fleet.serverPid() as number, 'SIGKILL')
      process.kill(pidOf(leafPidFile(leader.paths)), 'SIGKILL')
    }
    const lost = leafOf(leader)
    const writing = write(one, 20)
    kill()
    await eventually('another one leads', 30_000, async () => (await leaderSeenBy(one)).name !== leader.name)
    await eventually('it says what is missing', 30_000, async () => {
      const { coverage } = await ask(two, USERS)
      return coverage.missing.length === 1 && coverage.missing[0]?.includes(lost) === true && coverage.rows < 1
    })
    const { coverage, rows: found } = await ask(one, USERS)
    expect(coverage).toMatchObject({ leaves: 3, leavesAsked: 4 })
    expect(found).not.toContainEqual(['last', 1])
    // Half a minute later rows that belong to the leaf that is lost go to others.
    await writing
    expect((await leavesSeenBy(one)).find(({ leaf }) => leaf === lost)).toMatchObject({ state: 'lost', node: null, server: leader.name })

    await leader.fleet.data('up')
    await eventually('it is whole again', 30_000, async () => (await ask(two, USERS)).coverage.rows === 1)
    const whole = await ask(two, USERS)
    expect(whole.coverage).toMatchObject({ leaves: 4, leavesAsked: 4, missing: [] })
    expect(whole.rows).toContainEqual(['last', 1])
    for (const { paths } of servers)
      await eventually('each knows that it is back', 30_000, () => {
        const { shards } = JSON.parse(readFileSync(join(paths.scuba, 'registry.json'), 'utf8')) as { shards: { isLost: boolean }[] }
        return shards.every(({ isLost }) => !isLost)
      })
    // What was acknowledged while it was away is known by its key: it is not added a second time.
    for (let n = 0; n < written; n += 1) await sendUntilTaken(two, `order-${n}`, [{ order: n }])
    expect((await ask(one, ORDERS)).rows).toEqual([[written, written]])
  },
)

test(
  'what is declared and erased reaches the leaf of each server, and what is shown of a table is of all of them',
  { timeout: 120_000 },
  async () => {
    const leader = await leaderSeenBy(B)
    const [one, two] = others(leader)
    writeFileSync(join(one.fleet.home, 'events.yaml'), 'table: events\ncolumns:\n  from: {type: VARCHAR}\n  n: {type: BIGINT}\n')
    await one.fleet.data('scuba', 'table', 'put', '-f', 'events.yaml', '--yes')
    for (const { paths } of servers)
      await eventually('its leaf knows the declaration', 20_000, () => {
        const { tables } = JSON.parse(readFileSync(join(paths.scuba, 'registry.json'), 'utf8')) as { tables: Record<string, unknown> }
        return tables['events'] !== undefined
      })
    await one.fleet.data('scuba', 'compact', 'requests', '--yes')
    const { segments, missing } = await two.fleet.data('scuba', 'segments', 'requests')
    expect(missing).toEqual([])
    const holders = new Set(segments.map(({ leaf }: { leaf: string }) => leaf))
    for (const server of servers) expect(holders).toContain(leafOf(server))
    await one.fleet.data('scuba', 'erase', 'events', '--where', '"from" = \'b\'', '--confirm', 'events')
    expect((await ask(leader, COUNTS)).rows.map(([from]) => from)).toEqual(['before', 'c'])
  },
)

test('a leaf for a node that does not exist is refused with the nodes there are', { timeout: 60_000 }, async () => {
  const { exitCode, json } = await A.fleet.muster('scuba', 'leaf', 'join', 'n11', '--yes', '--json')
  expect(exitCode).toBe(3)
  expect(json.error.code).toBe('NOT_FOUND')
  expect(json.error.hint).toMatch(/^There are n1, /)
})

test('a server that is removed takes its leaf out of the answers', { timeout: 120_000 }, async () => {
  const leader = await leaderSeenBy(A)
  const [gone, stays] = others(leader)
  const leaf = leafOf(gone)
  await leader.fleet.data('delos', 'member', 'remove', gone.name, '--confirm', gone.name)
  await eventually('its leaf is gone', 60_000, async () => !(await leavesSeenBy(stays)).some((one) => one.leaf === leaf))
  const left = gone === A ? 2 : 3
  // Two servers on a busy machine may be without a leader for a moment.
  await eventually('the others are asked', 30_000, async () => {
    const { coverage } = await ask(stays, COUNTS)
    return coverage.rows === 1 && coverage.leaves === left && coverage.leavesAsked === left
  })
})
